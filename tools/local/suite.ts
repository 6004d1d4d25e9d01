/** The whole suite from nothing to ready, in order; whatever fails on the way leaves nothing running. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeConfigs } from './configs.ts';
import { writeEndpoints } from './endpoints.ts';
import { Failure, inWords } from './failure.ts';
import { requireRoom } from './files.ts';
import { makeFleet, renewServers } from './fleet.ts';
import { untilReady } from './http.ts';
import { migrateAll } from './migrations.ts';
import { makeServiceAccounts, OperatorTokenKeeper, SERVICE_ACCOUNTS } from './operator-token.ts';
import { makePeople } from './people.ts';
import { portsOf, requireFreePorts } from './ports.ts';
import { built, productEnv } from './product.ts';
import { HOPELESS_FALLS, lastLines, patience, startNats, startPostgres } from './servers.ts';
import { type ServiceSpec, startedServices } from './services.ts';
import { outsideFolder, places, type Settings, shown } from './settings.ts';
import { claim, readState } from './state.ts';
import { Supervisor } from './supervisor.ts';
import { type Say, step } from './terminal.ts';
import { vehiclesChild } from './vehicles.ts';

const READY_WITHIN_MS = 120_000;
/** Server certificates are renewed when a third of their life is left: a look a day is often enough. */
const RENEW_SERVERS_EVERY_MS = 86_400_000;
const SERVERS_LAST = ['nats', 'nats-1', 'nats-2', 'nats-3', 'postgres', 'postgres-standby'];

export interface Suite {
  /** Ends everything it started, in order. */
  readonly stop: () => Promise<void>;
}

/** Starts everything. `stopped` aborts a start half-way. Throws a Failure, with nothing left running. */
export async function startSuite(settings: Settings, demo: boolean, say: Say, stopped: AbortSignal): Promise<Suite> {
  const state = await claim(settings, demo);
  const supervisor = new Supervisor(settings, state, say);
  const keepers = SERVICE_ACCOUNTS.map((account) => new OperatorTokenKeeper(settings, say, account));
  const renewal = setInterval(() => {
    renewServers(settings).catch((error: unknown) => say(`server certificates were not renewed: ${inWords(error)}`));
  }, RENEW_SERVERS_EVERY_MS);
  const stop = async () => {
    clearInterval(renewal);
    for (const keeper of keepers) keeper.stop();
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
    await step(say, 'fleet', () => makeFleet(settings), String);
    stopped.throwIfAborted();
    writeConfigs(settings);
    writeEndpoints(settings, adminUrl);
    await step(say, 'migrations', () => migrateAll(settings, adminUrl), String);
    const withOperator = startedServices().some(({ name }) => name === 'token');
    if (withOperator) {
      await makeServiceAccounts(settings);
      await makePeople(settings);
    }
    stopped.throwIfAborted();
    await startServices(settings, supervisor, say, stopped);
    if (withOperator) {
      const file = shown(settings, places(settings).operatorToken);
      await step(
        say,
        'operator',
        () => Promise.all(keepers.map((keeper) => keeper.start())),
        () => `token kept fresh in ${file}`,
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

function serviceChild(settings: Settings, { name, heapMiB, semiSpaceMiB }: ServiceSpec) {
  const { config, logs } = places(settings);
  return {
    name,
    program: process.execPath,
    args: [
      `--max-old-space-size=${heapMiB}`,
      `--max-semi-space-size=${semiSpaceMiB ?? 8}`,
      // From the start: it would grow to it by promoting what it is there to hold, and shrink again in each quiet minute.
      ...(semiSpaceMiB === undefined ? [] : [`--min-semi-space-size=${semiSpaceMiB}`]),
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

/** What a caller prints when a start fails. */
export function startFailure(settings: Settings, error: unknown): string {
  const left = readState(settings) ? ' Something of it may still run: npm stop' : ' Nothing of it is left running.';
  return `${inWords(error)}\n${left.trim()}`;
}
