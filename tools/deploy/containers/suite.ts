/** The suite with its services in containers: the images and manifests that a cluster gets, played by podman; PostgreSQL and NATS are this machine's, as a cluster has them by reference. */
import { join } from 'node:path';
import { writeConfigs } from '../../local/configs.ts';
import { writeEndpoints } from '../../local/endpoints.ts';
import { Failure } from '../../local/failure.ts';
import { makeFleet } from '../../local/fleet.ts';
import { untilReady } from '../../local/http.ts';
import { makeServiceAccounts, OperatorTokenKeeper, SERVICE_ACCOUNTS } from '../../local/operator-token.ts';
import { makePeople } from '../../local/people.ts';
import { portsOf, requireFreePorts } from '../../local/ports.ts';
import { patience, startNats, startPostgres } from '../../local/servers.ts';
import { SERVICES } from '../../local/services.ts';
import { places, type Settings } from '../../local/settings.ts';
import { claim } from '../../local/state.ts';
import { Supervisor } from '../../local/supervisor.ts';
import { type Say, step } from '../../local/terminal.ts';
import { both, runAside, works } from './engine.ts';
import { type Manifests, manifestsOf } from './manifests.ts';

const READY_WITHIN_MS = 180_000;
/** Each start keeps one core busy. */
const AT_ONCE = 2;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const SERVERS_LAST = ['nats', 'postgres'];

export interface ContainerSuite {
  /** From nothing but images to every service ready: the servers, the fleet, migrations and all. */
  readonly coldStartMs: number;
  /** Ends and removes everything it started. */
  readonly stop: () => Promise<void>;
}

/** `image`: which images, `<registry>/outrider/<service>:<tag>`. Whatever fails on the way leaves nothing running. */
export async function startContainers(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  image: { readonly registry: string; readonly tag: string },
  say: Say,
): Promise<ContainerSuite> {
  const started = performance.now();
  const state = await claim(settings, false);
  const supervisor = new Supervisor(settings, state, say);
  const keepers = SERVICE_ACCOUNTS.map((account) => new OperatorTokenKeeper(settings, say, account));
  let manifests: Manifests | undefined;
  const stop = async () => {
    for (const keeper of keepers) keeper.stop();
    if (manifests) await remove(env, manifests);
    await supervisor.stop(SERVERS_LAST);
    for (const signal of SIGNALS) process.off(signal, interrupted);
  };
  // Containers would outlive whoever started them.
  const interrupted = () => void stop().finally(() => process.exit(130));
  for (const signal of SIGNALS) process.once(signal, interrupted);
  try {
    await requireFreePorts(settings);
    const adminUrl = await startPostgres(settings, supervisor, say);
    await startNats(settings, supervisor, say);
    await step(say, 'fleet', () => makeFleet(settings), String);
    writeConfigs(settings);
    writeEndpoints(settings, adminUrl);
    const made = manifestsOf(settings, env, join(places(settings).run, 'manifests'), image);
    manifests = made;
    // What a suite left that was killed.
    await remove(env, made);
    await step(
      say,
      'containers',
      () => play(env, made),
      () => 'podman kube play',
    );
    await ready(settings, say);
    const coldStartMs = performance.now() - started;
    await makeServiceAccounts(settings);
    await makePeople(settings);
    await Promise.all(keepers.map((keeper) => keeper.start()));
    supervisor.enter('ready');
    return { coldStartMs, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The first makes what the engine needs for any pod. */
async function play(env: NodeJS.ProcessEnv, { files }: Manifests): Promise<void> {
  const [first, ...others] = files;
  if (first) await playFile(env, first);
  await sideBySide(others, (file) => playFile(env, file));
}

/** An init container that failed is named by its id alone: what it said is asked for. */
async function playFile(env: NodeJS.ProcessEnv, file: string): Promise<void> {
  try {
    await runAside(env, 'podman', 'kube', 'play', file);
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? String(error);
    const id = /[0-9a-f]{64}/.exec(said)?.[0];
    throw new Failure(`podman kube play ${file}: ${said}${id ? both(env, 'podman', 'logs', '--tail', '20', id) : ''}`);
  }
}

async function remove(env: NodeJS.ProcessEnv, { files, volumes }: Manifests): Promise<void> {
  await sideBySide(files, (file) => runAside(env, 'podman', 'kube', 'down', file).catch(() => undefined));
  // The next suite of this name would find them, with what was in them.
  for (const name of volumes) works(env, 'podman', 'volume', 'rm', '--force', name);
}

async function sideBySide<T>(some: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  const waiting = [...some];
  const worker = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function ready(settings: Settings, say: Say): Promise<void> {
  const late = patience(READY_WITHIN_MS);
  const { services } = portsOf(settings);
  await Promise.all(
    SERVICES.map(({ name }) =>
      step(
        say,
        name,
        async () => {
          if (!(await untilReady(services[name]?.http ?? 0, late)))
            throw new Failure(`${name} did not become ready in its container`);
        },
        () => 'ready',
      ),
    ),
  );
}
