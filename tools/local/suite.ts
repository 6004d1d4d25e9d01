/** The whole suite from nothing to ready, in order; whatever fails on the way leaves nothing running. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, tail } from './child.ts';
import { checkConfigs, writeConfigs } from './configs.ts';
import { prepareDatabase } from './database.ts';
import { writeEndpoints } from './endpoints.ts';
import { Failure, inWords } from './failure.ts';
import { requireRoom, secret, writeWhole } from './files.ts';
import { makeFleet } from './fleet.ts';
import { untilReady } from './http.ts';
import { natsChild, waitForNats } from './nats.ts';
import { findNats } from './nats-binary.ts';
import { makeServiceAccount, OperatorTokenKeeper } from './operator-token.ts';
import { portsOf, requireFreePorts } from './ports.ts';
import { type Cluster, postgresChild, preparePostgres, SUPERUSER, waitForPostgres } from './postgres.ts';
import { built, runProduct } from './product.ts';
import { natsPasswordFile, PROVISIONER, writeNatsAuthorization } from './secrets.ts';
import { SERVICES, type ServiceSpec } from './services.ts';
import { places, postgresPlaces, type Settings, shown } from './settings.ts';
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
    const { home, marker } = prepareHome(settings);
    await requireFreePorts(settings);
    say(`Outrider starts; its state is in ${shown(settings, home)}`);
    writeWhole(marker, 'npm run reset deletes the folder that holds this file.\n');
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
      () => migrateAll(settings),
      () => 'done',
    );
    await makeServiceAccount(settings);
    stopped.throwIfAborted();
    await startServices(settings, supervisor, say, stopped);
    await step(
      say,
      'operator',
      () => keeper.start(),
      () => `token kept fresh in ${shown(settings, places(settings).operatorToken)}`,
    );
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

function prepareHome(settings: Settings): { home: string; marker: string } {
  const { home } = settings;
  const { marker, logs } = places(settings);
  const { data } = postgresPlaces(settings);
  for (const folder of [home, data]) requireRoom(folder, 256);
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  return { home, marker };
}

/** Returns a URL for the superuser, into the suite's database. */
async function startPostgres(settings: Settings, supervisor: Supervisor, say: Say): Promise<string> {
  const { secrets, logs } = places(settings);
  if (settings.postgresUrl) {
    const given = settings.postgresUrl;
    await step(
      say,
      'PostgreSQL',
      () => waitForPostgres(given, 10_000),
      () => 'yours, from OUTRIDER_PG_URL',
    );
    return prepareDatabase(given, secrets);
  }
  const { postgres: port } = portsOf(settings);
  const cluster: Cluster = {
    ...postgresPlaces(settings),
    port,
    password: secret(join(secrets, `postgres-${SUPERUSER}`)),
    logFile: join(logs, 'postgres.log'),
    durable: true,
  };
  const url = `postgres://${SUPERUSER}:${cluster.password}@127.0.0.1:${port}/postgres`;
  const work = async () => {
    await preparePostgres(cluster);
    const child = supervisor.start(postgresChild(cluster));
    await orHopeless(child, waitForPostgres(url, 60_000));
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
      await waitForNats(url, 10_000);
    } else {
      const child = supervisor.start(
        natsChild({ port, folder, logFile: join(logs, 'nats.log'), authorizationFile }, findNats(say)),
      );
      await orHopeless(child, waitForNats(url, 60_000));
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

async function migrateAll(settings: Settings): Promise<void> {
  const { config } = places(settings);
  await checkConfigs(settings);
  const waiting = SERVICES.map(({ name }) => name);
  const worker = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) {
      await runProduct(`apps/${name}/dist/main.js`, ['--config', join(config, `${name}.json`), '--migrate']);
    }
  };
  await Promise.all([worker(), worker()]);
}

async function startServices(
  settings: Settings,
  supervisor: Supervisor,
  say: Say,
  stopped: AbortSignal,
): Promise<void> {
  const { services } = portsOf(settings);
  const deadline = Date.now() + READY_WITHIN_MS;
  const children = SERVICES.map((service) => supervisor.start(serviceChild(settings, service)));
  await Promise.all(
    children.map((child) => {
      const { name } = child.spec;
      const giveUp = () => child.falls >= HOPELESS_FALLS || Date.now() > deadline || stopped.aborted;
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
    logFile: join(logs, `${name}.log`),
    stopSignal: 'SIGTERM' as const,
    graceMs: 10_000,
  };
}

/** Waits for `ready`, unless the process falls again and again: then its own words are better than a time-out. */
async function orHopeless(child: Child, ready: Promise<void>): Promise<void> {
  let settled = false;
  const watch = async () => {
    while (!settled && child.falls < HOPELESS_FALLS) await sleep(100);
    if (!settled)
      throw new Failure(`${child.spec.name} does not start; the end of ${child.spec.logFile}:\n${lastLines(child)}`);
  };
  ready.catch(() => {}); // the race may be over when it fails
  try {
    await Promise.race([ready, watch()]);
  } finally {
    settled = true;
  }
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
