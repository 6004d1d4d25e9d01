/** Runs a built program against the suite that runs here, or against one that is started for it and stopped after. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Failure } from './failure.ts';
import { built } from './product.ts';
import { PROJECT, places, readSettings } from './settings.ts';
import { runningState } from './state.ts';

/** Returns the program's exit code. */
export async function runAgainstSuite(path: string, args: readonly string[]): Promise<number> {
  const settings = readSettings();
  const program = built(path);
  const running = runningState(settings);
  if (running && running.phase !== 'ready')
    throw new Failure(`Outrider is ${running.phase}; try again when it runs (npm run status).`);
  if (!running && !command('start', ['--no-demo', '--detach'])) return 1;
  try {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: 'inherit',
      env: {
        ...process.env,
        OUTRIDER_E2E_ENDPOINTS: places(settings).endpoints,
        OUTRIDER_HOME: settings.home,
        OUTRIDER_PROJECT: PROJECT,
      },
    });
    // The program is asked to end; this waits for it, and then still stops what it started.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
    return await new Promise((done, failed) => {
      child.once('error', failed);
      child.once('close', (code) => done(code ?? 1));
    });
  } finally {
    if (!running) command('stop', []);
  }
}

function command(name: string, args: readonly string[]): boolean {
  const script = join(PROJECT, 'tools', 'commands', `${name}.ts`);
  return spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' }).status === 0;
}
