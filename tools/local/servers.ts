/** PostgreSQL and NATS, ours or brought along, made ready for the services. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, tail } from './child.ts';
import { prepareDatabase } from './database.ts';
import { Failure, inWords } from './failure.ts';
import { secret } from './files.ts';
import { type NatsServer, natsChild, waitForNats } from './nats.ts';
import { findNats } from './nats-binary.ts';
import { portsOf } from './ports.ts';
import { type Cluster, postgresChild, preparePostgres, SUPERUSER, waitForPostgres } from './postgres.ts';
import { runProduct } from './product.ts';
import { EXAMPLE_SIEM, EXAMPLE_TEAM, natsPasswordFile, PROVISIONER, writeNatsAuthorization } from './secrets.ts';
import { places, postgresPlaces, type Settings, shown } from './settings.ts';
import type { Supervisor } from './supervisor.ts';
import { type Say, step } from './terminal.ts';

/** Falls in a row after which a process that never was ready is given up on. */
export const HOPELESS_FALLS = 4;
const SERVER_PATIENCE_MS = 60_000;

/** Returns a URL for the superuser, into the suite's database. */
export async function startPostgres(settings: Settings, supervisor: Supervisor, say: Say): Promise<string> {
  const { secrets, logs } = places(settings);
  if (settings.postgresUrl) {
    const given = settings.postgresUrl;
    const work = () => waitForPostgres(given, patience(10_000));
    await step(say, 'PostgreSQL', work, () => 'yours, from OUTRIDER_PG_URL');
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

export async function startNats(settings: Settings, supervisor: Supervisor, say: Say): Promise<void> {
  const server = natsServer(settings);
  const { secrets } = places(settings);
  const work = async () => {
    await writeNatsAuthorization(secrets, server.authorizationFile);
    if (settings.natsUrl) {
      await waitForNats(settings.natsUrl, patience(10_000));
    } else {
      const child = supervisor.start(natsChild(server, findNats(say)));
      await orHopeless(child, (giveUp) => waitForNats(`nats://127.0.0.1:${server.port}`, giveUp));
    }
    await makeStreams(settings);
  };
  const words = settings.natsUrl
    ? `yours, from OUTRIDER_NATS_URL; its users are those of ${shown(settings, server.authorizationFile)}`
    : `on port ${server.port}`;
  await step(say, 'NATS', work, () => words);
}

/** Our own server, as `portsOf` and `places` have it. */
export function natsServer(settings: Settings): NatsServer {
  const { nats: folder, logs } = places(settings);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    port: portsOf(settings).nats,
    folder,
    logFile: join(logs, 'nats.log'),
    authorizationFile: join(folder, 'authorization.conf'),
  };
}

/** Makes or updates the streams and buckets, as the one user who may. */
export async function makeStreams(settings: Settings): Promise<void> {
  const passwordFile = natsPasswordFile(places(settings).secrets, PROVISIONER);
  const url = settings.natsUrl ?? `nats://127.0.0.1:${portsOf(settings).nats}`;
  const access = ['--url', url, '--user', PROVISIONER, '--password-file', passwordFile];
  const outside = ['--team', EXAMPLE_TEAM, '--siem', EXAMPLE_SIEM];
  await runProduct('libs/platform/dist/nats/provision.command.js', [...access, ...outside]);
}

/** True once `ms` have passed. */
export function patience(ms: number): () => boolean {
  const deadline = Date.now() + ms;
  return () => Date.now() > deadline;
}

/** The end of a process's log, for a message. */
export function lastLines(child: Child): string {
  const lines = tail(child.spec.logFile).slice(-12);
  return lines.map((line) => `  ${line.slice(0, 400)}`).join('\n') || '  (nothing)';
}

/** Waits for a server of ours with `wait`; one that falls again and again, or takes too long, is given up on in its own words. */
async function orHopeless(child: Child, wait: (giveUp: () => boolean) => Promise<void>): Promise<void> {
  const late = patience(SERVER_PATIENCE_MS);
  try {
    await wait(() => child.falls >= HOPELESS_FALLS || late());
  } catch (error) {
    throw new Failure(`${inWords(error)}\nThe end of ${child.spec.logFile}:\n${lastLines(child)}`);
  }
}
