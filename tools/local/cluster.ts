/**
 * The servers as production has them, on one machine (OUTRIDER_CLUSTER=1): three NATS nodes that keep every stream three times, and a PostgreSQL
 * primary whose commits wait for a standby. To try what a lost node does; it makes nothing safer here.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildSpec } from './child.ts';
import { Failure } from './failure.ts';
import { secret } from './files.ts';
import { type NatsServer, ROUTE_USER } from './nats.ts';
import { portsOf } from './ports.ts';
import { type Cluster, postgresChild, SUPERUSER } from './postgres.ts';
import { natsPasswordFile } from './secrets.ts';
import { places, type Settings } from './settings.ts';

export const NATS_REPLICAS = 3;
const STANDBY = 'standby';

/** The nodes, each with a store of its own below `server`'s. */
export function natsNodes(settings: Settings, server: NatsServer): readonly NatsServer[] {
  const { natsNodes: clients, natsRoutes: routes } = portsOf(settings);
  const password = secret(natsPasswordFile(places(settings).secrets, ROUTE_USER));
  return clients.map((port, index) => {
    const name = `nats-${index + 1}`;
    const folder = join(server.folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const [route = 0, others] = [routes[index], routes.filter((_, other) => other !== index)];
    return {
      ...server,
      name,
      port,
      folder,
      logFile: join(places(settings).logs, `${name}.log`),
      cluster: { route, others, password },
    };
  });
}

/**
 * Before either server runs. A standby that was promoted becomes the primary, in the place of the one that was lost; a standby that is not
 * there is made of a copy of the primary, which must have been initialized.
 */
export function prepareStandby(primary: Cluster, standby: Cluster): void {
  const isThere = existsSync(join(standby.data, 'PG_VERSION'));
  if (isThere && !existsSync(join(standby.data, 'standby.signal'))) {
    rmSync(primary.data, { recursive: true, force: true });
    renameSync(standby.data, primary.data);
    rmSync(join(primary.data, 'postgresql.auto.conf'));
  } else if (isThere) return;
  const fresh = `${standby.data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  try {
    execFileSync('cp', ['-a', primary.data, fresh], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    throw new Failure(`The standby could not be copied: ${String((error as { stderr?: Buffer }).stderr)}`);
  }
  // Of a primary that was killed.
  rmSync(join(fresh, 'postmaster.pid'), { force: true });
  writeFileSync(join(fresh, 'standby.signal'), '');
  // A process's arguments can be read by anyone, this file by its owner alone: `cp -a` kept whose it is.
  const conninfo = `host=127.0.0.1 port=${primary.port} user=${SUPERUSER} password=${primary.password} application_name=${STANDBY}`;
  appendFileSync(join(fresh, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`);
  execFileSync('chown', [`--reference=${fresh}`, join(fresh, 'standby.signal'), join(fresh, 'postgresql.auto.conf')]);
  renameSync(fresh, standby.data);
}

/** It waits for the standby with every commit. Once lost it stays away: its place may be taken, and two primaries are worse than none. */
export function primaryChild(cluster: Cluster): ChildSpec {
  const child = postgresChild(cluster);
  return {
    ...child,
    args: [...child.args, '-c', `synchronous_standby_names=${STANDBY}`, '-c', 'wal_keep_size=512MB'],
    once: true,
  };
}

export function standbyChild(cluster: Cluster): ChildSpec {
  return { ...postgresChild(cluster), name: 'postgres-standby' };
}
