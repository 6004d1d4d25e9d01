/** Ends a suite from outside: through its supervisor, or, when that was killed, process by process. */
import { endProcess } from './process-identity.ts';
import type { Settings } from './settings.ts';
import { endLeftovers, runningState } from './state.ts';

/** More than the supervisor itself takes: services 10 s, then NATS 10 s, then PostgreSQL 20 s. */
const GRACE_MS = 60_000;

/** Returns what happened, in words. */
export async function stopRunning(settings: Settings): Promise<string> {
  const running = runningState(settings);
  if (running) await endProcess(running.supervisor, 'SIGTERM', GRACE_MS);
  const leftovers = await endLeftovers(settings);
  if (leftovers.length > 0)
    return `Outrider had lost its supervisor; ended what it left running: ${leftovers.join(', ')}.`;
  return running ? 'Outrider is stopped. The fleet is kept: npm start resumes it.' : 'Outrider does not run here.';
}
