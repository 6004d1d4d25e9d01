/** PostgreSQL and NATS, ours or brought along, made ready for the services. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, type ChildSpec, tail } from './child.ts';
import { NATS_REPLICAS, natsNodes, prepareStandby, primaryChild, standbyChild } from './cluster.ts';
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
    for (const child of postgresChildren(settings, cluster).map((spec) => supervisor.start(spec)))
      await orHopeless(child, (giveUp) => waitForPostgres(url, giveUp));
    return prepareDatabase(url, secrets);
  };
  return step(say, 'PostgreSQL', work, () => `on port ${port}${settings.cluster ? ', and a standby' : ''}`);
}

/** One server; or a primary and then its standby. */
function postgresChildren(settings: Settings, cluster: Cluster): readonly ChildSpec[] {
  if (!settings.cluster) return [postgresChild(cluster)];
  const { logs } = places(settings);
  const standby = {
    ...cluster,
    data: `${cluster.data}-standby`,
    port: portsOf(settings).postgresStandby,
    logFile: join(logs, 'postgres-standby.log'),
  };
  prepareStandby(cluster, standby);
  return [primaryChild(cluster), standbyChild(standby)];
}

export async function startNats(settings: Settings, supervisor: Supervisor, say: Say): Promise<void> {
  const server = natsServer(settings);
  const { secrets } = places(settings);
  const work = async () => {
    await writeNatsAuthorization(secrets, server.authorizationFile);
    if (settings.natsUrl) {
      await waitForNats(settings.natsUrl, patience(10_000));
    } else {
      const nodes = settings.cluster ? natsNodes(settings, server) : [server];
      const binary = findNats(say);
      if (settings.cluster && binary.kind !== 'process') throw new Failure('A cluster needs nats-server on the path.');
      const children = nodes.map((node) => supervisor.start(natsChild(node, binary)));
      for (const [index, child] of children.entries())
        await orHopeless(child, (giveUp) => waitForNats(`nats://127.0.0.1:${nodes[index]?.port}`, giveUp));
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
  const url = natsUrl(settings);
  const access = ['--url', url, '--user', PROVISIONER, '--password-file', passwordFile];
  const outside = ['--team', EXAMPLE_TEAM, '--siem', EXAMPLE_SIEM];
  const kept = inCluster(settings) ? ['--replicas', String(NATS_REPLICAS)] : [];
  const late = patience(SERVER_PATIENCE_MS);
  for (;;) {
    try {
      await runProduct('libs/platform/dist/nats/provision.command.js', [...access, ...outside, ...kept]);
      return;
    } catch (error) {
      // Nodes that have just met elect who leads them.
      if (!inCluster(settings) || late() || !/unavailable|timeout|insufficient resources/i.test(inWords(error)))
        throw error;
      await sleep(500);
    }
  }
}

function inCluster(settings: Settings): boolean {
  return settings.cluster && !settings.natsUrl;
}

/** Every server of it, with commas between. */
export function natsUrl(settings: Settings): string {
  const { nats, natsNodes: nodes } = portsOf(settings);
  return settings.natsUrl ?? (settings.cluster ? nodes : [nats]).map((port) => `nats://127.0.0.1:${port}`).join();
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
