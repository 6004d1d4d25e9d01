import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InstanceId } from '@outrider/ids';
import { migrate } from '@outrider/platform/postgres';
import { createLogger } from '@outrider/platform/service';
import { createTestDatabase, type TestDatabase, testServiceConfig } from '@outrider/testing';
import pg from 'pg';
import { Config } from '../config.js';
import { TELEMETRY } from '../service.provider.js';
import { type Ground, OWN_KEYS, prepareGround, type Service, startService } from '../telemetry.fixture.js';
import { Partitions } from './partitions.service.js';
import { setRetention } from './retention.provider.js';

const MONTH = /^(messages|batches)_\d{6}$/;
const logger = createLogger('telemetry', InstanceId.parse('telemetry-00000000'), 'fatal');

let ground: Ground;
let service: Service;
let owner: pg.Client;
let runtime: pg.Client;
let older: TestDatabase | undefined;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1);
  owner = await asRole(ground.database, 'telemetry_owner');
  runtime = await asRole(ground.database, 'telemetry');
}, 60_000);

afterAll(async () => {
  await Promise.all([owner?.end(), runtime?.end(), service?.close()]);
  await older?.drop();
  await ground?.stop();
});

async function asRole({ host, port, name, password, schema }: TestDatabase, user: string): Promise<pg.Client> {
  const options = `-c search_path=${schema} -c timezone=UTC`;
  const client = new pg.Client({ host, port, database: name, user, password, options });
  await client.connect();
  return client;
}

async function partitionsOf(client: pg.Client, parent: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass ORDER BY 1`,
    [parent],
  );
  return rows.map(({ name }) => name);
}

/** A row as the version before this one wrote it: without format, algorithm, token. */
function insertRow(client: pg.Client, deviceId: string, seq: number, receivedAt: string): Promise<unknown> {
  const digest = createHash('sha256').update(`${deviceId} ${seq}`).digest();
  return client.query(
    `INSERT INTO messages (device_id, received_at, stream, epoch, seq, ts, thumbprint, canonical_sha256, signature, payload)
     VALUES ($1, $2, 'main', 0, $3, 0, 't', $4, 's', 'p')`,
    [deviceId, receivedAt, seq, digest],
  );
}

const partitionOf = async (client: pg.Client, deviceId: string): Promise<string> => {
  const text = 'SELECT tableoid::regclass::text AS name FROM messages WHERE device_id = $1';
  return (await client.query<{ name: string }>(text, [deviceId])).rows[0]!.name;
};

describe('partitions', () => {
  it('are months, this one and the next there from the start', async () => {
    for (const parent of ['messages', 'batches']) {
      const names = await partitionsOf(owner, parent);
      expect(names).toContain(`${parent}_default`);
      const months = names.filter((name) => MONTH.test(name));
      expect(months).toHaveLength(names.length - 1);
      expect(months.length).toBeGreaterThanOrEqual(2);
    }
  });

  it('of a database that had days with rows go on behind those days, and the version before goes on writing', async () => {
    older = await createTestDatabase('telemetry');
    const { config } = await testServiceConfig('telemetry', { ...ground, database: older });
    const parsed = Config.parse({ ...config, ...OWN_KEYS });
    await migrate(parsed, TELEMETRY.migrations.slice(0, 1), logger);
    const before = await asRole(older, 'telemetry');
    await insertRow(before, 'device-before', 1, 'now');
    await migrate(parsed, TELEMETRY.migrations, logger);
    await insertRow(before, 'device-before', 2, 'now');
    const days = (await partitionsOf(before, 'messages')).filter((name) => /\d{8}$/.test(name));
    expect(days).toHaveLength(1);
    for (const ahead of [1, 10, 35]) {
      const deviceId = `device-ahead-${ahead}`;
      await insertRow(before, deviceId, 1, new Date(Date.now() + ahead * 86_400_000).toISOString());
      expect(await partitionOf(before, deviceId)).toMatch(MONTH);
    }
    expect((await before.query('SELECT make_partitions(7) AS made')).rows).toEqual([{ made: 0 }]);
    const { rows } = await before.query(`SELECT DISTINCT format, algorithm FROM messages`);
    expect(rows).toEqual([{ format: 'json', algorithm: null }]);
    await before.end();
  });

  it('missing for a month: its rows are kept in the default, which then becomes that month', async () => {
    const receivedAt = new Date(Date.now() + 100 * 86_400_000).toISOString();
    await insertRow(runtime, 'device-stray', 1, receivedAt);
    expect(await partitionOf(runtime, 'device-stray')).toBe('messages_default');
    await runtime.query('SELECT make_partitions(130)');
    expect(await partitionOf(runtime, 'device-stray')).toBe(`messages_${receivedAt.slice(0, 7).replace('-', '')}`);
    await insertRow(runtime, 'device-stray-2', 1, new Date(Date.now() + 300 * 86_400_000).toISOString());
    expect(await partitionOf(runtime, 'device-stray-2')).toBe('messages_default');
    for (const table of ['messages_default', await partitionOf(runtime, 'device-stray')]) {
      await expect(owner.query(`DELETE FROM ${table}`)).rejects.toThrow(/append-only/);
      await expect(owner.query(`TRUNCATE ${table}`)).rejects.toThrow(/append-only/);
    }
  });
});

describe('retention', () => {
  const rows = [
    ['device-b', 7, '2020-03-01T00:00:00Z'],
    ['device-b', 9, '2020-03-01T10:00:00Z'],
    ['device-a', 3, '2020-03-01T12:00:00Z'],
    ['device-a', 4, '2020-03-31T23:59:59.999Z'],
  ] as const;
  const sha256 = (data: string | Buffer) => createHash('sha256').update(data);
  const named = (deviceId: string, seq: number) => sha256(`${deviceId} ${seq}`).digest();
  const proofs = async () => (await owner.query('SELECT * FROM retired_partitions ORDER BY id')).rows;

  it('drops a month that it has outlived, and keeps a proof that whoever has the rows can compute', async () => {
    await owner.query(
      `CREATE TABLE messages_202003 PARTITION OF messages FOR VALUES FROM ('2020-03-01T00:00:00Z') TO ('2020-04-01T00:00:00Z')`,
    );
    for (const [deviceId, seq, at] of rows) await insertRow(owner, deviceId, seq, at);
    await service.app.get(Partitions).retire();

    const device = (id: string, ...seqs: number[]) =>
      `${id}:${seqs.length}:${sha256(Buffer.concat(seqs.map((seq) => named(id, seq)))).digest('hex')};`;
    const first = sha256(device('device-a', 3) + device('device-b', 7, 9)).digest('hex');
    const last = sha256(device('device-a', 4)).digest('hex');
    const digest = sha256(`2020-03-01:${first};2020-03-31:${last};`).digest();
    expect(await proofs()).toEqual([
      expect.objectContaining({
        kept_in: 'messages',
        partition: 'messages_202003',
        from_time: new Date('2020-03-01T00:00:00Z'),
        to_time: new Date('2020-04-01T00:00:00Z'),
        row_count: '4',
        device_count: '2',
        first_received_at: new Date('2020-03-01T00:00:00Z'),
        last_received_at: new Date('2020-03-31T23:59:59.999Z'),
        sha256: digest,
        keep_days: 400,
      }),
    ]);
    expect(await partitionsOf(owner, 'messages')).not.toContain('messages_202003');
    expect((await owner.query(`SELECT FROM messages WHERE received_at < '2021-01-01'`)).rowCount).toBe(0);
  });

  it('touches nothing that the rule still holds, and is the owner’s to decide', async () => {
    const before = await proofs();
    const day = 86_400_000;
    const [from, to] = [-100, -60].map((days) =>
      new Date(Math.floor(Date.now() / day) * day + days * day).toISOString(),
    );
    await owner.query(`CREATE TABLE messages_recent PARTITION OF messages FOR VALUES FROM ('${from}') TO ('${to}')`);
    await service.app.get(Partitions).retire();
    expect(await proofs()).toEqual(before);
    expect(await partitionsOf(owner, 'messages')).toContain('messages_recent');
    for (const statement of [
      'INSERT INTO retention_rules (keep_days) VALUES (1)',
      'UPDATE retention_rules SET keep_days = 1',
      'DELETE FROM retired_partitions',
      `SELECT content_sha256('messages', 'messages_recent')`,
      `SELECT make_months('messages', now())`,
    ]) {
      await expect(runtime.query(statement)).rejects.toMatchObject({ code: '42501' });
    }
    for (const statement of [
      'DELETE FROM retired_partitions',
      'UPDATE retired_partitions SET row_count = 0',
      'TRUNCATE retired_partitions CASCADE',
      'UPDATE retention_rules SET keep_days = 1',
    ]) {
      await expect(owner.query(statement)).rejects.toThrow(/append-only/);
    }
  });

  it('follows the newest rule, and keeps for ever where that says so', async () => {
    const runner = { query: (text: string, values: unknown[]) => owner.query(text, values) } as never;
    await setRetention(runner, null);
    await setRetention(runner, null);
    await owner.query(
      `CREATE TABLE batches_202003 PARTITION OF batches FOR VALUES FROM ('2020-03-01T00:00:00Z') TO ('2020-04-01T00:00:00Z')`,
    );
    await service.app.get(Partitions).retire();
    expect(await partitionsOf(owner, 'batches')).toContain('batches_202003');
    await setRetention(runner, 59);
    await service.app.get(Partitions).retire();
    expect((await proofs()).slice(1).map(({ partition, row_count }) => [partition, row_count])).toEqual([
      ['batches_202003', '0'],
      ['messages_recent', '0'],
    ]);
    const { rows: rules } = await owner.query('SELECT keep_days FROM retention_rules ORDER BY id');
    expect(rules.map(({ keep_days }) => keep_days)).toEqual([400, null, 59]);
  });
});
