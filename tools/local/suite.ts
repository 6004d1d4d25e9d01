/** The whole suite from nothing to ready, in order; whatever fails on the way leaves nothing running. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, tail } from './child.ts';
import { writeConfigs } from './configs.ts';
import { prepareDatabase } from './database.ts';
import { writeEndpoints } from './endpoints.ts';
import { Failure, inWords } from './failure.ts';
import { requireRoom, secret } from './files.ts';
import { makeFleet } from './fleet.ts';
import { untilReady } from './http.ts';
import { migrateAll } from './migrations.ts';
import { natsChild, waitForNats } from './nats.ts';
import { findNats } from './nats-binary.ts';
import { makeServiceAccount, OperatorTokenKeeper } from './operator-token.ts';
import { portsOf, requireFreePorts } from './ports.ts';
import { type Cluster, postgresChild, preparePostgres, SUPERUSER, waitForPostgres } from './postgres.ts';
import { built, productEnv, runProduct } from './product.ts';
import { natsPasswordFile, PROVISIONER, writeNatsAuthorization } from './secrets.ts';
import { type ServiceSpec, startedServices } from './services.ts';
import { outsideFolder, places, postgresPlaces, type Settings, shown } from './settings.ts';
import { claim, readState } from './state.ts';
import { Supervisor } from './supervisor.ts';
import { type Say, step } from './terminal.ts';
import { vehiclesChild } from './vehicles.ts';

/** Falls in a row after which a service that never was ready is given up on. */
const HOPELESS_FALLS = 4;
const READY_WITHIN_MS = 120_000;
const SERVERS_LAST = ['nats', 'postgres'];

export interface Suite {
  /** Ends everything it started, in order. */
  readonly stop: () => Promise<void>;
}

/** Starts everything. `stopped` aborts a start half-way. Throws a Failure, with nothing left running. */
export async function startSuite(settings: Settings, demo: boolean, say: Say, stopped: AbortSignal): Promise<Suite> {
  const state = await claim(settings, demo);
  const supervisor = new Supervisor(settings, state, say);
  const keeper = new OperatorTokenKeeper(settings, say);
  const stop = async () => {
    keeper.stop();
    await supervisor.stop(SERVERS_LAST);
  };
  try {
    prepareHome(settings);
    await requireFreePorts(settings);
    say(`Outrider starts; its state is in ${shown(settings, settings.home)}`);
    const adminUrl = await startPostgres(settings, supervisor, say);
    stopped.throwIfAborted();
    await startNats(settings, supervisor, say);
    stopped.throwIfAborted();
    await step(
      say,
      'fleet',
      () => makeFleet(settings),
      (words) => words,
    );
    stopped.throwIfAborted();
    writeConfigs(settings);
    writeEndpoints(settings, adminUrl);
    await step(
      say,
      'migrations',
      () => migrateAll(settings, adminUrl),
      (words) => words,
    );
    const withOperator = startedServices().some(({ name }) => name === 'token');
    if (withOperator) await makeServiceAccount(settings);
    stopped.throwIfAborted();
    await startServices(settings, supervisor, say, stopped);
    if (withOperator) {
      await step(
        say,
        'operator',
        () => keeper.start(),
        () => `token kept fresh in ${shown(settings, places(settings).operatorToken)}`,
      );
    }
    if (demo) supervisor.start(vehiclesChild(settings));
    stopped.throwIfAborted();
    supervisor.enter('ready');
    return { stop };
  } catch (error) {
    await stop();
    if (stopped.aborted) throw new Failure('Stopped before it was ready.');
    throw error;
  }
}

function prepareHome(settings: Settings): void {
  for (const folder of [settings.home, outsideFolder(settings)?.folder ?? settings.home]) requireRoom(folder, 256);
  mkdirSync(places(settings).logs, { recursive: true, mode: 0o700 });
}

/** Returns a URL for the superuser, into the suite's database. */
async function startPostgres(settings: Settings, supervisor: Supervisor, say: Say): Promise<string> {
  const { secrets, logs } = places(settings);
  if (settings.postgresUrl) {
    const given = settings.postgresUrl;
    await step(
      say,
      'PostgreSQL',
      () => waitForPostgres(given, patience(10_000)),
      () => 'yours, from OUTRIDER_PG_URL',
    );
    return prepareDatabase(given, secrets);
  }
  const { postgres: port } = portsOf(settings);
  const cluster: Cluster = {
    ...postgresPlaces(settings, secret(join(secrets, 'postgres-cluster'))),
    port,
    password: secret(join(secrets, `postgres-${SUPERUSER}`)),
    logFile: join(logs, 'postgres.log'),
    durable: true,
  };
  const url = `postgres://${SUPERUSER}:${cluster.password}@127.0.0.1:${port}/postgres`;
  const work = async () => {
    await preparePostgres(cluster);
    const child = supervisor.start(postgresChild(cluster));
    await orHopeless(child, (giveUp) => waitForPostgres(url, giveUp));
    return prepareDatabase(url, secrets);
  };
  return step(say, 'PostgreSQL', work, () => `on port ${port}`);
}

async function startNats(settings: Settings, supervisor: Supervisor, say: Say): Promise<void> {
  const { secrets, logs, nats: folder } = places(settings);
  const { nats: port } = portsOf(settings);
  const authorizationFile = join(folder, 'authorization.conf');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const work = async () => {
    await writeNatsAuthorization(secrets, authorizationFile);
    const url = settings.natsUrl ?? `nats://127.0.0.1:${port}`;
    if (settings.natsUrl) {
      await waitForNats(url, patience(10_000));
    } else {
      const child = supervisor.start(
        natsChild({ port, folder, logFile: join(logs, 'nats.log'), authorizationFile }, findNats(say)),
      );
      await orHopeless(child, (giveUp) => waitForNats(url, giveUp));
    }
    await runProduct('libs/platform/dist/nats/provision.command.js', [
      '--url',
      url,
      '--user',
      PROVISIONER,
      '--password-file',
      natsPasswordFile(secrets, PROVISIONER),
    ]);
  };
  const words = settings.natsUrl
    ? `yours, from OUTRIDER_NATS_URL; its users must be those in ${shown(settings, authorizationFile)}`
    : `on port ${port}`;
  await step(say, 'NATS', work, () => words);
}

async function startServices(
  settings: Settings,
  supervisor: Supervisor,
  say: Say,
  stopped: AbortSignal,
): Promise<void> {
  const { services } = portsOf(settings);
  const late = patience(READY_WITHIN_MS);
  const children = startedServices().map((service) => supervisor.start(serviceChild(settings, service)));
  await Promise.all(
    children.map((child) => {
      const { name } = child.spec;
      const giveUp = () => child.falls >= HOPELESS_FALLS || late() || stopped.aborted;
      const ready = async () => {
        if (await untilReady(services[name]?.http ?? 0, giveUp)) return;
        stopped.throwIfAborted();
        throw new Failure(
          `${name} did not become ready; the end of ${shown(settings, child.spec.logFile)}:\n${lastLines(child)}`,
        );
      };
      return step(say, name, ready, () => 'ready');
    }),
  );
}

function serviceChild(settings: Settings, { name, heapMiB }: ServiceSpec) {
  const { config, logs } = places(settings);
  return {
    name,
    program: process.execPath,
    args: [
      `--max-old-space-size=${heapMiB}`,
      '--max-semi-space-size=8',
      '--enable-source-maps',
      built(`apps/${name}/dist/main.js`),
      '--config',
      join(config, `${name}.json`),
    ],
    cwd: settings.project,
    env: productEnv(),
    logFile: join(logs, `${name}.log`),
    stopSignal: 'SIGTERM' as const,
    graceMs: 10_000,
  };
}

/** Waits for a server of ours with `wait`; one that falls again and again, or takes too long, is given up on in its own words. */
async function orHopeless(child: Child, wait: (giveUp: () => boolean) => Promise<void>): Promise<void> {
  const giveUp = patience(60_000);
  try {
    await wait(() => child.falls >= HOPELESS_FALLS || giveUp());
  } catch (error) {
    throw new Failure(`${inWords(error)}\nThe end of ${child.spec.logFile}:\n${lastLines(child)}`);
  }
}

function patience(ms: number): () => boolean {
  const deadline = Date.now() + ms;
  return () => Date.now() > deadline;
}

function lastLines(child: Child): string {
  return (
    tail(child.spec.logFile)
      .slice(-12)
      .map((line) => `  ${line.slice(0, 400)}`)
      .join('\n') || '  (nothing)'
  );
}

/** What a caller prints when a start fails. */
export function startFailure(settings: Settings, error: unknown): string {
  const left = readState(settings) ? ' Something of it may still run: npm stop' : ' Nothing of it is left running.';
  return `${inWords(error)}\n${left.trim()}`;
}
