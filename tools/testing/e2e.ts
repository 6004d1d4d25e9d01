/** The suites that drive a whole Outrider from outside: one is started for them, on ports and in a home of its own. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aptInstall, onPath } from '../local/nats-binary.ts';
import { freeOffset } from '../local/ports.ts';
import { PROJECT, places, type Settings } from '../local/settings.ts';
import { runJest } from './jest.ts';
import { add, count, emptyTally, type Tally } from './tally.ts';

/** Debian's package for each program or module that a suite drives. Without it the suite says so and skips. */
const CLIENTS = [
  ['curl', 'curl', ['--version']],
  ['openssl', 'openssl', ['version']],
  ['python3-nacl', 'python3', ['-c', 'import nacl.signing']],
  ['strongswan-pki', 'pki', ['--help']],
] as const;

/** Where the lanes look for ports: far enough apart for a suite's own (and those that specs start beside it, from 8000 on). */
const OFFSETS_FROM = [3000, 5500] as const;

/**
 * Folders that the second suite is driven by, beside the first: the longest waits are in them. Each folder stands alone,
 * so that only the time tells which is where; in a lane they run by path, as by themselves.
 */
const SECOND_LANE = /\/(06-crash|1[0-6]-[a-z-]+|2\d-[a-z-]+)\//;
/** What looks at all that a suite did, at the end of each lane. */
const EVERY_LANE = /\/logs\//;
const NOTHING = '$^';

interface Lane {
  readonly name: string;
  readonly suite: Settings;
  readonly env: NodeJS.ProcessEnv;
  /** Of the paths of tests, those that are not the lane's. */
  readonly leavesOut: string;
}

export function hasE2eTests(): boolean {
  const dist = join(PROJECT, 'e2e', 'dist');
  return existsSync(dist) && readdirSync(dist, { recursive: true }).some((name) => String(name).endsWith('.spec.js'));
}

/** All of it on two suites at the same time; with filters on one. */
export async function runE2eTests(tally: Tally, settings: Settings, filters: readonly string[]): Promise<void> {
  installClients();
  const shares =
    filters.length > 0 ? [NOTHING] : [SECOND_LANE.source, `^(?!.*(${SECOND_LANE.source}|${EVERY_LANE.source}))`];
  const lanes: Lane[] = [];
  try {
    for (const [index, leavesOut] of shares.entries()) {
      const name = shares.length > 1 ? `e2e ${index + 1}` : 'e2e';
      const home = join(settings.home, String(index + 1));
      const suite: Settings = { ...settings, home, portOffset: await freeOffset(OFFSETS_FROM[index] ?? 0) };
      const env = { OUTRIDER_HOME: suite.home, OUTRIDER_PORT_OFFSET: String(suite.portOffset) };
      const lane = { name, suite, env, leavesOut };
      lanes.push(lane);
      const started = command('start', ['--no-demo', '--detach'], env);
      count(tally, `${name}: the suite starts`, started);
      if (!started) return;
    }
    await Promise.all(lanes.map((lane) => runLane(tally, lane, filters)));
    for (const { name, env } of lanes) count(tally, `${name}: the suite stops`, command('stop', [], env));
  } finally {
    for (const { env } of lanes) command('reset', ['--yes'], env);
  }
}

async function runLane(tally: Tally, { name, suite, env, leavesOut }: Lane, filters: readonly string[]): Promise<void> {
  const own = emptyTally();
  await runJest(own, {
    name,
    args: ['--runInBand', '--config', JSON.stringify(jestConfig(leavesOut)), ...filters],
    env: { ...env, OUTRIDER_E2E_ENDPOINTS: places(suite).endpoints, OUTRIDER_PROJECT: PROJECT },
    resultFile: join(suite.home, 'run', 'e2e.json'),
  });
  if (own.failed > 0) keepLogs(suite);
  add(tally, own);
}

/** `leavesOut`: a pattern of paths. */
export function jestConfig(leavesOut = NOTHING): object {
  return {
    rootDir: join(PROJECT, 'e2e', 'dist'),
    testEnvironment: 'node',
    testMatch: ['**/*.spec.js'],
    testPathIgnorePatterns: [leavesOut],
    runner: join(import.meta.dirname, 'spec-runner', 'runner.mjs'),
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
