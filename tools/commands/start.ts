/**
 * `npm start [-- --no-demo] [-- --detach]`: makes the fleet, starts everything, prints where it is, and stays until Ctrl-C.
 * With --detach it returns once all is ready; a supervisor stays behind, and `npm stop` ends it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { keepLogSmall } from '../local/child.ts';
import { Failure, runCommand } from '../local/failure.ts';
import { places, readSettings, type Settings, shown } from '../local/settings.ts';
import { runningState, takeHome } from '../local/state.ts';
import { startFailure, startSuite } from '../local/suite.ts';
import { summary } from '../local/summary.ts';
import type { Say } from '../local/terminal.ts';

/** What the supervisor behind --detach tells the command in front of it. */
type Message = { readonly line: string } | { readonly ready: true } | { readonly failed: true };

await runCommand(async () => {
  const options = readOptions();
  const settings = readSettings();
  if (options.supervise) return supervise(settings, options.demo);
  const running = runningState(settings);
  if (running) {
    console.log(
      `Outrider ${running.phase === 'ready' ? 'already runs' : `is ${running.phase}`} here (supervisor: process ${running.supervisor.pid}).\n`,
    );
    console.log(summary({ ...settings, portOffset: running.portOffset }));
    return running.phase === 'stopping' ? 1 : 0;
  }
  return options.detach ? detach(settings, options.demo) : inForeground(settings, options.demo);
});

function readOptions() {
  try {
    const { values } = parseArgs({
      options: { 'no-demo': { type: 'boolean' }, detach: { type: 'boolean' }, supervise: { type: 'boolean' } },
    });
    return { demo: !values['no-demo'], detach: values.detach ?? false, supervise: values.supervise ?? false };
  } catch (error) {
    throw new Failure(`${(error as Error).message}\nUsage: npm start [-- --no-demo] [-- --detach]`);
  }
}

async function inForeground(settings: Settings, demo: boolean): Promise<number> {
  const say: Say = (line) => console.log(line);
  // A reader that went away (`npm start | head`) must not take the suite down with it.
  process.stdout.on('error', () => {});
  const { signal, asked } = stopSignal();
  try {
    const suite = await startSuite(settings, demo, say, signal);
    say(`\n${summary(settings)}\nCtrl-C stops everything.`);
    await asked;
    say('\nStopping ...');
    await suite.stop();
    say('Everything is stopped. The fleet is kept: npm start resumes it.');
    return 0;
  } catch (error) {
    console.error(startFailure(settings, error));
    return signal.aborted ? 130 : 1;
  }
}

/** The process that --detach leaves behind. Its standard output is its log. */
async function supervise(settings: Settings, demo: boolean): Promise<number> {
  const tell = (message: Message) => {
    if (process.connected) process.send?.(message, () => {});
  };
  const say: Say = (line) => {
    console.log(`${new Date().toISOString()} ${line}`);
    tell({ line });
  };
  const { signal, asked } = stopSignal();
  try {
    const suite = await startSuite(settings, demo, say, signal);
    tell({ ready: true });
    if (process.connected) process.disconnect();
    await asked;
    await suite.stop();
    say('stopped');
    return 0;
  } catch (error) {
    say(startFailure(settings, error));
    tell({ failed: true });
    if (process.connected) process.disconnect();
    return 1;
  }
}

async function detach(settings: Settings, demo: boolean): Promise<number> {
  takeHome(settings);
  const { logs } = places(settings);
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const logFile = join(logs, 'supervisor.log');
  keepLogSmall(logFile);
  const log = openSync(logFile, 'a', 0o600);
  const args = [fileURLToPath(import.meta.url), '--supervise', ...(demo ? [] : ['--no-demo'])];
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    cwd: settings.project,
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGTERM'));
  let outcome: 'ready' | 'failed' | undefined;
  child.on('message', (message: Message) => {
    if ('line' in message) console.log(message.line);
    else outcome = 'ready' in message ? 'ready' : 'failed';
  });
  await Promise.race([once(child, 'disconnect'), once(child, 'exit')]);
  if (outcome !== 'ready') {
    if (child.exitCode === null) await once(child, 'exit');
    if (outcome === undefined) console.error(`The supervisor ended by itself; see ${shown(settings, logFile)}`);
    return 1;
  }
  child.unref();
  console.log(`\n${summary(settings)}\nIt runs in the background; npm stop ends it.`);
  return 0;
}

/** Turns the first signal into an abort; later ones change nothing, as stopping goes on in order anyway. */
function stopSignal(): { signal: AbortSignal; asked: Promise<unknown> } {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => controller.abort());
  const asked = new Promise((done) => controller.signal.addEventListener('abort', done, { once: true }));
  return { signal: controller.signal, asked };
}
