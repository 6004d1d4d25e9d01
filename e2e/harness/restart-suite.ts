/** Stops and starts the suite that the specs drive, and its PostgreSQL's files: for specs that have a suite to themselves (`npm run e2e:upgrade`). */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { endpoints, HOME, PROJECT } from './endpoints.js';
import { must } from './run.js';

export async function stopSuite(): Promise<void> {
  await command('stop');
}

/** Once more where it did not come up: on a machine with much else to do a service may give up on its database. */
export async function startSuite(): Promise<void> {
  const start = () => command('start', '--no-demo', '--detach');
  await start().catch(start);
}

async function command(name: string, ...args: string[]): Promise<void> {
  const root = process.env.OUTRIDER_SUITE_PROJECT ?? PROJECT;
  const env = { OUTRIDER_HOME: HOME, OUTRIDER_PORT_OFFSET: process.env.OUTRIDER_PORT_OFFSET ?? '0' };
  await must(process.execPath, [join(root, 'tools', 'commands', `${name}.ts`), ...args], { env, timeoutMs: 600_000 });
}

/** What differs from one moment to the next, or belongs to a server that runs. */
const LEFT_OUT = /\/(?:postmaster\.(?:pid|opts)|pg_wal\/.+|pg_stat_tmp\/.+|pg_replslot\/.+)$/;

/**
 * A base backup of the running server by the low-level API (PostgreSQL, "Making a base backup using the low level API"), as pg_basebackup of
 * the server's own version makes it: the embedded binaries hold none. @returns the server's data directory
 */
export async function backUp(folder: string): Promise<string> {
  const { host, port, name, user, passwordFile } = endpoints.database;
  const password = passwordFile ? readFileSync(passwordFile, 'utf8').trim() : undefined;
  const client = new pg.Client({ host, port, database: name, user, ...(password ? { password } : {}) });
  await client.connect();
  try {
    const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
    const data = (rows[0] as { data_directory: string }).data_directory;
    await client.query(`SELECT pg_backup_start('e2e', fast => true)`);
    cpSync(data, folder, { recursive: true, preserveTimestamps: true, filter: (path) => !LEFT_OUT.test(path) });
    const stopped = await client.query<{ labelfile: string }>(
      'SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)',
    );
    writeFileSync(join(folder, 'backup_label'), stopped.rows[0]?.labelfile ?? '', { mode: 0o600 });
    // No archive: the log from the beginning to the end of the backup comes along.
    cpSync(join(data, 'pg_wal'), join(folder, 'pg_wal'), { recursive: true });
    return data;
  } finally {
    await client.end();
  }
}

/** While the server is stopped: its data becomes what the backup has. */
export async function restore(folder: string, data: string): Promise<void> {
  const [{ stdout: owner }, { stdout: mode }] = [
    await must('stat', ['-c', '%u:%g', data]),
    await must('stat', ['-c', '%a', data]),
  ];
  for (const name of readdirSync(data)) rmSync(join(data, name), { recursive: true, force: true });
  cpSync(folder, data, { recursive: true });
  await must('chown', ['-R', owner.trim(), data]);
  await must('chmod', ['-R', 'u=rwX,go=', data]);
  await must('chmod', [mode.trim(), data]);
}
