/** A suite for one benchmark alone: in a home and on ports of its own, with the services that it needs, gone when it ends. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const PROJECT = resolve(import.meta.dirname, '../../..');
/** Beyond the ports of a suite that may run here. */
const PORT_OFFSET = 7000;

export interface OwnSuite {
  readonly home: string;
  /** `endpoints.json`, also in the environment from now on. */
  readonly endpoints: string;
  stop(): void;
}

/** `OUTRIDER_PORT_OFFSET` shifts its ports. Throws when it does not start; nothing is left then. */
export function startOwnSuite(services: readonly string[]): OwnSuite {
  const home = mkdtempSync(join(tmpdir(), 'outrider-bench-'));
  const env = {
    ...process.env,
    OUTRIDER_HOME: home,
    OUTRIDER_PORT_OFFSET: String(Number(process.env.OUTRIDER_PORT_OFFSET || 0) + PORT_OFFSET),
    OUTRIDER_SERVICES: services.join(','),
  };
  const command = (name: string, ...args: string[]): boolean => {
    const script = join(PROJECT, 'tools', 'commands', `${name}.ts`);
    return spawnSync(process.execPath, [script, ...args], { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0;
  };
  const stop = (): void => {
    command('stop');
    command('reset', '--yes');
    rmSync(home, { recursive: true, force: true });
  };
  if (!command('start', '--no-demo', '--detach')) {
    stop();
    throw new Error('the suite did not start');
  }
  const endpoints = join(home, 'endpoints.json');
  process.env.OUTRIDER_ENDPOINTS = endpoints;
  return { home, endpoints, stop };
}
