import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestDatabase, startWire, type TestDatabase, type TestWire, until } from '@outrider/testing';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import type { CommonConfig } from '../service/config.js';
import { runtimeDataSource } from './data-source.provider.js';
import { Database } from './database.service.js';
import { isDatabaseAway } from './failure.js';
import { clientOf, PATIENCE, Primary, requirePrimary } from './primary.client.js';

const AWAY = expect.objectContaining({ code: 'service.unavailable', retryAfterSeconds: 1 });

/** A way to the test's PostgreSQL that is, as a standby is, good for reading alone while `standby` is true. */
interface Server {
  readonly wire: TestWire;
  readonly port: number;
  standby: boolean;
}

let database: TestDatabase;
let a: Server;
let b: Server;
let open: DataSource[] = [];

beforeEach(async () => {
  database = await createTestDatabase('telemetry');
  [a, b] = [await server(), await server()];
  b.standby = true;
}, 30_000);

afterEach(async () => {
  for (const source of open) await source.destroy();
  open = [];
  for (const { wire } of [a, b]) await wire.close();
  await database.drop();
}, 30_000);

/** Its sessions ask for read-only transactions in their first message, in the place of a setting as long. */
async function server(): Promise<Server> {
  const asked = 'idle_in_transaction_session_timeout=30000';
  const instead = 'default_transaction_read_only=on'.padEnd(asked.length);
  const made = { standby: false };
  const wire = await startWire(`postgres://${database.host}:${database.port}`, (sent) =>
    made.standby ? Buffer.from(sent.toString('latin1').replace(asked, instead), 'latin1') : sent,
  );
  return Object.assign(made, { wire, port: Number(new URL(wire.url).port) });
}

const hosts = () => [`127.0.0.1:${a.port}`, `127.0.0.1:${b.port}`];

async function connected(host: readonly string[], password = database.password, poolSize = 1): Promise<Database> {
  const passwordFile = join(mkdtempSync(join(tmpdir(), 'outrider-primary-')), 'password');
  writeFileSync(passwordFile, password);
  const own = { host, port: 1, name: database.name, passwordFile, ownerPasswordFile: passwordFile, poolSize };
  const source = runtimeDataSource({ service: 'telemetry', database: own } as unknown as CommonConfig, []);
  await source.initialize();
  open.push(source);
  return new Database(source);
}

/** The port of the server that a new piece of work lands on. */
async function serverOf({ pool }: Database): Promise<number> {
  const client = await pool.connect();
  client.release();
  return (client as unknown as { port: number }).port;
}

const writes = (on: Database) => on.transaction((tx) => tx.query('CREATE TEMPORARY TABLE IF NOT EXISTS t (n int)'));

describe('of several servers', () => {
  it('uses the one that takes writes, wherever it stands in the list', async () => {
    expect(await serverOf(await connected(hosts()))).toBe(a.port);
    expect(await serverOf(await connected(hosts().reverse()))).toBe(a.port);
  });

  it('goes to the next primary when its own is lost; until there is one it says that the database is away', async () => {
    const on = await connected(hosts());
    await writes(on);
    a.wire.cut();
    await expect(writes(on)).rejects.toEqual(AWAY);
    await expect(writes(on)).rejects.toEqual(AWAY);
    b.standby = false;
    const written = () =>
      writes(on).then(
        () => true,
        () => false,
      );
    await until(written, 20_000);
    expect(await serverOf(on)).toBe(b.port);
  });

  it('leaves a server that was demoted under it: the write is refused for now, and the next goes to the new primary', async () => {
    const on = await connected(hosts());
    await writes(on);
    [a.standby, b.standby] = [true, false];
    await on.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY');
    await expect(writes(on)).rejects.toEqual(AWAY);
    await writes(on);
    expect(await serverOf(on)).toBe(b.port);
  });

  it('leaves a server that was demoted, though nothing writes: the readiness check asks whether it takes writes', async () => {
    const on = await connected(hosts());
    await requirePrimary(on.pool);
    [a.standby, b.standby] = [true, false];
    await on.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY');
    const failure = await requirePrimary(on.pool).catch((error: unknown) => error);
    expect(isDatabaseAway(failure)).toBe(true);
    await until(async () => (await serverOf(on)) === b.port, 20_000);
    await requirePrimary(on.pool);
  });

  it('cuts off what hangs on a server that fell silent, once another takes writes', async () => {
    const primary = new Primary([a, b].map(({ port }) => ({ host: '127.0.0.1', port })));
    const {
      user,
      password,
      database: name,
    } = { user: 'telemetry', password: database.password, database: database.name };
    const options = '-c idle_in_transaction_session_timeout=30000';
    const Client = clientOf(primary, { ...PATIENCE, doubtMs: 200 });
    const pool = new pg.Pool({ user, password, database: name, options, max: 2, Client } as pg.PoolConfig);
    pool.on('error', () => undefined);
    try {
      const waiting = await pool.connect();
      waiting.on('error', () => undefined);
      a.wire.stall();
      b.standby = false;
      const failure = await waiting.query('SELECT 1').then(
        () => undefined,
        (error: Error) => error,
      );
      expect(failure?.message).toContain(`127.0.0.1:${b.port} takes writes instead of 127.0.0.1:${a.port}`);
      expect(isDatabaseAway(failure)).toBe(true);
      waiting.release(true);
      expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    } finally {
      await pool.end();
    }
  });

  it('stays with its own where all of them take writes, whatever is slow', async () => {
    b.standby = false;
    const primary = new Primary([a, b].map(({ port }) => ({ host: '127.0.0.1', port })));
    const Client = clientOf(primary, { ...PATIENCE, doubtMs: 100 });
    const client = new Client({ user: 'telemetry', password: database.password, database: database.name });
    await client.connect();
    expect((await client.query('SELECT pg_sleep(0.7)')).rowCount).toBe(1);
    expect(await primary.find({})).toMatchObject({ port: (client as unknown as { port: number }).port });
    await client.end();
  });

  it('does not start on standbys alone, and waits for them as for a database that is away', async () => {
    a.standby = true;
    const failure = await connected(hosts()).catch((error: Error) => error);
    expect(isDatabaseAway(failure)).toBe(true);
    expect(String(failure)).toMatch(/none of .* takes writes/);
  });

  it('says of a wrong password that it is wrong', async () => {
    const failure = await connected(hosts(), 'another').catch((error: Error) => error);
    expect(failure).toMatchObject({ code: '28P01' });
    expect(isDatabaseAway(failure)).toBe(false);
  });
});

describe('of one server', () => {
  it('gives up a connection that was told it writes to a standby, and makes another', async () => {
    const on = await connected([`127.0.0.1:${a.port}`]);
    await on.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY');
    await expect(writes(on)).rejects.toEqual(AWAY);
    await writes(on);
  });

  it('leaves what stayed with a demoted server once another answers at its address, and reads on until then', async () => {
    const on = await connected([`127.0.0.1:${a.port}`]);
    const process = async () => (await on.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))[0]?.pid;
    const first = await process();
    a.standby = true;
    await on.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY');
    await expect(requirePrimary(on.pool)).rejects.toThrow('takes no writes');
    expect(await process()).toBe(first);
    a.standby = false;
    const writable = () =>
      requirePrimary(on.pool).then(
        () => true,
        () => false,
      );
    await until(writable, 20_000);
    expect(await process()).not.toBe(first);
  });

  it('cuts off what waits on silence for longer than any statement may take', async () => {
    const primary = new Primary([{ host: '127.0.0.1', port: a.port }]);
    const Client = clientOf(primary, { doubtMs: 500, silenceMs: 4000 });
    const client = new Client({ user: 'telemetry', password: database.password, database: database.name });
    client.on('error', () => undefined);
    await client.connect();
    expect((await client.query('SELECT pg_sleep(0.7)')).rowCount).toBe(1);
    a.wire.stall();
    await expect(client.query('SELECT 1')).rejects.toThrow('fell silent');
  }, 30_000);
});
