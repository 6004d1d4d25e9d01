/** A suite of a spec's own beside the shared one, for what nobody else should live through. What is imported after its start drives it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT } from './project.js';
import { must, run } from './run.js';

const TOOLS = join(PROJECT, 'tools');
/** Beyond those that the shared suite looks through. */
const OFFSETS_FROM = 8000;
const START_MS = 500_000;

export interface OwnSuite {
  readonly home: string;
  stop(): Promise<void>;
}

/** `settings`: what `npm start` reads from its environment. Rejects with what it said when it does not start; nothing is left then. */
export async function startOwnSuite(settings: Readonly<Record<string, string>>): Promise<OwnSuite> {
  const home = mkdtempSync(join(tmpdir(), 'outrider-own-'));
  const env = { ...settings, OUTRIDER_HOME: home, OUTRIDER_PORT_OFFSET: await freeOffset() };
  const command = (name: string, ...args: string[]): [string, string[]] => [
    process.execPath,
    [join(TOOLS, 'commands', `${name}.ts`), ...args],
  ];
  const shared = process.env.OUTRIDER_E2E_ENDPOINTS;
  const stop = async () => {
    if (shared === undefined) delete process.env.OUTRIDER_E2E_ENDPOINTS;
    else process.env.OUTRIDER_E2E_ENDPOINTS = shared;
    await run(...command('stop'), { env, timeoutMs: 60_000 });
    await run(...command('reset', '--yes'), { env, timeoutMs: 60_000 });
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await must(...command('start', '--no-demo', '--detach'), { env, timeoutMs: START_MS });
  } catch (error) {
    await stop();
    throw error;
  }
  process.env.OUTRIDER_E2E_ENDPOINTS = join(home, 'endpoints.json');
  return { home, stop };
}

async function freeOffset(): Promise<string> {
  const ports = JSON.stringify(join(TOOLS, 'local', 'ports.ts'));
  const code = `const { freeOffset } = await import(${ports}); console.log(await freeOffset(${OFFSETS_FROM}, true));`;
  return (await must(process.execPath, ['--input-type=module', '-e', code])).stdout.trim();
}
