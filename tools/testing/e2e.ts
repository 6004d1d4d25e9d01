/** The suites that drive a whole Outrider from outside: one is started for them, on ports and in a home of its own. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aptInstall, onPath } from '../local/nats-binary.ts';
import { freeOffset } from '../local/ports.ts';
import { PROJECT, places, type Settings } from '../local/settings.ts';
import { runJest } from './jest.ts';
import { count, type Tally } from './tally.ts';

/** Debian's package for each program or module that a suite drives. Without it the suite says so and skips. */
const CLIENTS = [
  ['curl', 'curl', ['--version']],
  ['openssl', 'openssl', ['version']],
  ['python3-nacl', 'python3', ['-c', 'import nacl.signing']],
  ['strongswan-pki', 'pki', ['--help']],
] as const;

const OFFSETS_FROM = 3000;

export function hasE2eTests(): boolean {
  const dist = join(PROJECT, 'e2e', 'dist');
  return existsSync(dist) && readdirSync(dist, { recursive: true }).some((name) => String(name).endsWith('.spec.js'));
}

export async function runE2eTests(tally: Tally, settings: Settings, filters: readonly string[]): Promise<void> {
  installClients();
  const suite: Settings = { ...settings, portOffset: await freeOffset(OFFSETS_FROM) };
  const env = { OUTRIDER_HOME: suite.home, OUTRIDER_PORT_OFFSET: String(suite.portOffset) };
  try {
    const started = command('start', ['--no-demo', '--detach'], env);
    count(tally, 'the suite starts', started);
    if (!started) return;
    const failedBefore = tally.failed;
    await runJest(tally, {
      name: 'e2e',
      args: ['--runInBand', '--config', JSON.stringify(jestConfig()), ...filters],
      env: { ...env, OUTRIDER_E2E_ENDPOINTS: places(suite).endpoints, OUTRIDER_PROJECT: PROJECT },
      resultFile: join(suite.home, 'run', 'e2e.json'),
    });
    if (tally.failed > failedBefore) keepLogs(suite);
    count(tally, 'the suite stops', command('stop', [], env));
  } finally {
    command('reset', ['--yes'], env);
  }
}

function jestConfig(): object {
  return {
    rootDir: join(PROJECT, 'e2e', 'dist'),
    testEnvironment: 'node',
    testMatch: ['**/*.spec.js'],
    transform: {},
    testTimeout: 120_000,
    testSequencer: join(import.meta.dirname, 'by-path-sequencer.cjs'),
  };
}

function command(name: string, args: readonly string[], env: NodeJS.ProcessEnv): boolean {
  const script = join(PROJECT, 'tools', 'commands', `${name}.ts`);
  const { status } = spawnSync(process.execPath, [script, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  return status === 0;
}

function installClients(): void {
  const missing = CLIENTS.filter(
    ([, program, args]) => !onPath(program) || spawnSync(program, args, { stdio: 'ignore' }).status !== 0,
  );
  const packages = missing.map(([name]) => name);
  if (packages.length === 0) return;
  const done = process.getuid?.() === 0 && onPath('apt-get') !== undefined && aptInstall(packages);
  console.log(
    done ? `installed ${packages.join(', ')}` : `missing here, their tests are skipped: ${packages.join(', ')}`,
  );
}

/** The home goes; what its services said about a failure stays. */
function keepLogs(suite: Settings): void {
  const kept = mkdtempSync(join(tmpdir(), 'outrider-e2e-logs-'));
  cpSync(places(suite).logs, kept, { recursive: true });
  console.log(`The suite's logs are kept in ${kept}`);
}
