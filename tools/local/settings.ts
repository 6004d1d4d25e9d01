/** Where one suite lives and which ports it takes: the project, OUTRIDER_HOME, OUTRIDER_PORT_OFFSET and the servers brought along. */
import { createHash } from 'node:crypto';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.ts';

export interface Settings {
  /** The clone, absolute. */
  readonly project: string;
  /** All state of this suite, absolute. */
  readonly home: string;
  readonly portOffset: number;
  /** A PostgreSQL and a NATS of the user's own, if given. */
  readonly postgresUrl: string | undefined;
  readonly natsUrl: string | undefined;
  /** Our own servers are clusters (cluster.ts). */
  readonly cluster: boolean;
  /** Where services send spans (OTLP over HTTP), if anywhere. */
  readonly traceEndpoint: string | undefined;
}

export const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const portOffset = Number(env.OUTRIDER_PORT_OFFSET || '0');
  if (!Number.isInteger(portOffset) || portOffset < 0 || portOffset > 49_000) {
    throw new Failure(
      `OUTRIDER_PORT_OFFSET is "${env.OUTRIDER_PORT_OFFSET}"; it must be a whole number from 0 to 49000.`,
    );
  }
  return {
    project: PROJECT,
    home: resolve(PROJECT, env.OUTRIDER_HOME || '.outrider'),
    portOffset,
    postgresUrl: env.OUTRIDER_PG_URL || undefined,
    natsUrl: env.OUTRIDER_NATS_URL || undefined,
    cluster: env.OUTRIDER_CLUSTER === '1',
    traceEndpoint: env.OUTRIDER_TRACE_ENDPOINT || undefined,
  };
}

/** The files of a suite below its home. */
export function places({ home }: Settings) {
  return {
    marker: join(home, 'this-is-outrider-state'),
    config: join(home, 'config'),
    secrets: join(home, 'secrets'),
    fleet: join(home, 'fleet'),
    /** What services had renewed by themselves, a folder each. */
    identities: join(home, 'identities'),
    logs: join(home, 'logs'),
    run: join(home, 'run'),
    state: join(home, 'run', 'supervisor.json'),
    nats: join(home, 'nats'),
    vehicles: join(home, 'vehicles'),
    operatorToken: join(home, 'operator.token'),
    approverToken: join(home, 'approver.token'),
    officerToken: join(home, 'officer.token'),
    endpoints: join(home, 'endpoints.json'),
  } as const;
}

/** A file as tools should read it: relative to the project when inside it. */
export function shown({ project }: Pick<Settings, 'project'>, file: string): string {
  const path = relative(project, file);
  return path.startsWith('..') ? file : path;
}

/**
 * Where PostgreSQL's binaries and data live. PostgreSQL refuses to run as root, and the user `postgres` cannot read a clone
 * below a 0700 directory: as root both live outside of it, in a folder named after the project's path. There the data is that
 * of this home and of no other that stood at its path before: `cluster` is made up with the home.
 */
export function postgresPlaces(settings: Settings, cluster: string): { binaries: string; data: string } {
  const { home } = settings;
  const outside = outsideFolder(settings);
  if (!outside) return { binaries: join(home, 'postgres'), data: join(home, 'postgres', 'data') };
  return { binaries: outside.folder, data: join(outside.folder, `${outside.dataPrefix}${cluster.slice(0, 12)}`) };
}

/** As root: the folder outside of the clone, and how the data folders of this home begin in it. */
export function outsideFolder({ project, home }: Settings): { folder: string; dataPrefix: string } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return { folder: join('/var/lib/outrider', shortHash(project)), dataPrefix: `data-${shortHash(home)}-` };
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
