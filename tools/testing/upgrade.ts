/** Two things that take a suite of their own: the version before on this version's schema, and a restored backup. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { SERVICES } from '../local/services.ts';
import { PROJECT, places, type Settings } from '../local/settings.ts';
import { jestConfig } from './e2e.ts';
import { runJest } from './jest.ts';
import { count, type Tally } from './tally.ts';

/** What a platform lives on: enrolment, tokens, telemetry, commands, revocation. */
const SUITES = ['01-enrol', '02-token', '03-telemetry', '04-command', '05-revoke'];
/** What ran before there were tags: the suite before images, charts and certificates that renew themselves. */
const UNTAGGED = 'fbacb1fe8a63b2289b2dee92fb24eaea38e0f449';

export async function runRestore(tally: Tally, { home, ...rest }: Settings): Promise<void> {
  const suite = { ...rest, home: join(home, 'restore') };
  try {
    if (!script(tally, PROJECT, suite, 'a suite to restore starts', 'start', '--no-demo', '--detach')) return;
    const env = {
      OUTRIDER_E2E_UPGRADE: '1',
      OUTRIDER_E2E_ENDPOINTS: places(suite).endpoints,
      OUTRIDER_PROJECT: PROJECT,
    };
    await runJest(tally, {
      name: 'restore',
      args: ['--runInBand', '--config', JSON.stringify(jestConfig()), '21-upgrade'],
      env: { ...environment(suite), ...env },
      resultFile: join(home, 'restore.json'),
    });
  } finally {
    script(tally, PROJECT, suite, 'its state goes', 'reset', '--yes');
  }
}

/** The release before this commit, by its tag. Undefined in a clone that does not reach back so far. */
export function previousVersion(): string | undefined {
  const given = process.env.OUTRIDER_UPGRADE_FROM;
  const release = given ?? git('describe', '--tags', '--abbrev=0', '--match', 'v*', 'HEAD^') ?? UNTAGGED;
  return git('rev-parse', '--verify', '--quiet', `${release}^{commit}`);
}

export async function runPreviousServices(tally: Tally, { home, ...rest }: Settings): Promise<void> {
  const previous = previousVersion();
  if (previous === undefined) {
    tally.skipped.push(
      'the services of the version before: this clone has no history that reaches so far (git fetch --unshallow --tags)',
    );
    return;
  }
  const suite = { ...rest, home: join(home, 'upgrade') };
  const clone = join(home, 'previous');
  console.log(`the version before is ${git('log', '-1', '--format=%h %s', previous)}`);
  execFileSync('git', ['clone', '--quiet', '--no-checkout', '--shared', PROJECT, clone]);
  const checkout = (commit: string) => execFileSync('git', ['checkout', '--quiet', commit], { cwd: clone });
  const inClone = (name: string, command: string, ...args: string[]) =>
    door(tally, clone, suite, name, command, ...args);
  try {
    checkout(previous);
    if (!inClone('the version before starts', 'start', '--no-demo', '--detach')) return;
    // In place, while those services run: as a rolling update does it first of all.
    for (const { name } of SERVICES) {
      const args = ['--config', join(places(suite).config, `${name}.json`), '--migrate'];
      const main = join(PROJECT, 'apps', name, 'dist', 'main.js');
      const { status } = spawnSync(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
      count(tally, `${name} of this version migrates under the configuration of the version before`, status === 0);
    }
    await runSuites(tally, clone, suite, 'the version before on the schema of this one');
    inClone('the version before stops', 'stop');
    checkout(git('rev-parse', 'HEAD') as string);
    // Where the version before lay, as with `git pull`: its state is found there.
    if (!inClone('this version starts on its data', 'start', '--no-demo', '--detach')) return;
    await runSuites(tally, clone, suite, 'this version on the data of the version before');
    inClone('this version stops', 'stop');
  } finally {
    inClone('its state goes', 'reset', '--yes');
  }
}

/** The specs of that checkout itself: they know what it can do. */
async function runSuites(tally: Tally, project: string, suite: Settings, name: string): Promise<void> {
  const config = { ...jestConfig(), rootDir: join(project, 'e2e', 'dist'), runner: undefined };
  await runJest(tally, {
    name,
    args: ['--runInBand', '--rootDir', join(project, 'e2e', 'dist'), '--config', JSON.stringify(config), ...SUITES],
    env: {
      ...environment(suite),
      OUTRIDER_E2E_ENDPOINTS: places(suite).endpoints,
      OUTRIDER_PROJECT: project,
      // Jest's own runner: the specs of another version know nothing of the project's.
      NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    },
    resultFile: join(suite.home, 'run', `${name.replaceAll(' ', '-')}.json`),
  });
}

function environment({ home, portOffset }: Settings): NodeJS.ProcessEnv {
  return { OUTRIDER_HOME: home, OUTRIDER_PORT_OFFSET: String(portOffset) };
}

/** A command of this very build. */
function script(
  tally: Tally,
  project: string,
  suite: Settings,
  name: string,
  command: string,
  ...args: string[]
): boolean {
  return ran(tally, name, suite, [join(project, 'tools', 'commands', `${command}.ts`), ...args], project);
}

/** A command by that checkout's own door, which installs and builds first. */
function door(
  tally: Tally,
  project: string,
  suite: Settings,
  name: string,
  command: string,
  ...args: string[]
): boolean {
  return ran(tally, name, suite, [join(project, 'tools', 'run.mjs'), command, ...args], project);
}

function ran(tally: Tally, name: string, suite: Settings, args: readonly string[], cwd: string): boolean {
  const env = { ...process.env, ...environment(suite) };
  const { status } = spawnSync(process.execPath, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] });
  count(tally, name, status === 0);
  return status === 0;
}

/** What git says, or undefined where it has nothing to say. */
function git(...args: string[]): string | undefined {
  try {
    return (
      execFileSync('git', args, { cwd: PROJECT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() ||
      undefined
    );
  } catch {
    return undefined;
  }
}
