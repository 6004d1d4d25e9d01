import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { messageAccepted } from '@outrider/contracts';
import { sha256Hex } from '@outrider/crypto';
import { DeviceId, Epoch, SequenceNumber, StreamName } from '@outrider/ids';
import pg from 'pg';
import type { VerifiedRecord } from '../ingest/verified-record.js';
import {
  type Ground,
  type HttpAnswer,
  prepareGround,
  type Service,
  startService,
  stored,
  TestVehicle,
  until,
} from '../telemetry.fixture.js';
import { GroupCommit } from './group-commit.service.js';

let ground: Ground;
let first: Service;
let second: Service;

beforeAll(async () => {
  ground = await prepareGround();
  [first, second] = await Promise.all([startService(ground, 1), startService(ground, 2)]);
}, 60_000);

afterAll(() => ground?.stop());

const countVerdicts = (answers: readonly HttpAnswer[]) => {
  const counts: Record<string, number> = {};
  for (const { body } of answers) for (const { verdict } of body.results) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
};

describe('two instances on one database', () => {
  it('fed the same messages at once accept each once', async () => {
    const car = await ground.vehicle('device-race');
    const messages = Array.from({ length: 30 }, (_, index) => car.message(index + 1));
    const answers = await Promise.all(
      messages.flatMap((message) => [first, second, first, second].map((service) => car.post(service, message))),
    );
    expect(countVerdicts(answers)).toEqual({ accepted: 30, duplicate: 90 });
    expect((await stored(ground, car.deviceId)).map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(
      messages.map((_, index) => index + 1),
    );
  });

  it('given different records under one number accept one and call the other replayed', async () => {
    const car = await ground.vehicle('device-conflict');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => {
        const service = index % 2 === 0 ? first : second;
        return car.post(service, car.message(1, { telemetry: { choice: index } }));
      }),
    );
    expect(countVerdicts(answers)).toEqual({ accepted: 1, replayed: 19 });
    expect(await stored(ground, car.deviceId)).toHaveLength(1);
  });

  it('lock devices in one order: batches over many devices never deadlock', async () => {
    const ids = Array.from({ length: 12 }, (_, index) => `device-lock-${index}`);
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, round) => {
        const order = round % 2 === 0 ? ids : [...ids].reverse();
        const commits = (round % 2 === 0 ? first : second).app.get(GroupCommit);
        return Promise.all(order.map((id) => commits.submit(DeviceId.parse(id), [record(id, round + 1)])));
      }),
    );
    expect(results.flat().every(({ decisions }) => decisions[0]!.verdict === 'accepted')).toBe(true);
    const [{ count }] = (await ground.query<{ count: number }>(
      `SELECT count(DISTINCT (device_id, stream, epoch, seq))::int AS count FROM messages WHERE device_id LIKE 'device-lock-%'`,
    )) as [{ count: number }];
    expect(count).toBe(12 * 40);
  });
});

describe('26: the runtime role', () => {
  it('cannot change, delete or truncate a stored message, nor reach a partition', async () => {
    const car = await ground.vehicle('device-append');
    await car.post(first, car.message(1));
    const client = await asRole('telemetry');
    const [{ partition }] = (await ground.query<{ partition: string }>(
      `SELECT tableoid::regclass::text AS partition FROM messages WHERE device_id = 'device-append'`,
    )) as [{ partition: string }];
    expect(partition).toMatch(/^messages_\d{6}$/);
    for (const statement of [
      `UPDATE messages SET payload = 'x' WHERE device_id = 'device-append'`,
      `DELETE FROM messages WHERE device_id = 'device-append'`,
      'TRUNCATE messages',
      `UPDATE ${partition} SET payload = 'x'`,
      `DELETE FROM ${partition}`,
      `TRUNCATE ${partition}`,
      `DROP TABLE ${partition}`,
      `ALTER TABLE messages DETACH PARTITION ${partition}`,
      'ALTER TABLE messages DISABLE TRIGGER ALL',
      'DROP TRIGGER messages_append_only ON messages',
      `DELETE FROM windows`,
      `DELETE FROM devices`,
    ]) {
      await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
    }
    await client.end();
    expect(await stored(ground, car.deviceId)).toHaveLength(1);
  });

  it('finds the trigger behind the grants: even the owner does not change a message by accident', async () => {
    const client = await asRole('telemetry_owner');
    const partition = `messages_${new Date().toISOString().slice(0, 7).replace('-', '')}`;
    for (const statement of [
      `UPDATE messages SET payload = 'x'`,
      'DELETE FROM messages',
      'TRUNCATE messages',
      `TRUNCATE ${partition}`,
      'TRUNCATE messages_default',
      `DELETE FROM ${partition}`,
    ]) {
      await expect(client.query(statement)).rejects.toThrow(/append-only/);
    }
    await client.end();
  });

  async function asRole(user: string): Promise<pg.Client> {
    const { host, port, name, password, schema } = ground.database;
    const client = new pg.Client({ host, port, database: name, user, password, options: `-c search_path=${schema}` });
    await client.connect();
    return client;
  }
});

describe('a poison record', () => {
  it('does not fail its neighbours in the batch', async () => {
    const commits = first.app.get(GroupCommit);
    const id = 'device-poison';
    // Past every check there is nothing PostgreSQL would refuse; a NUL in a text column stands for what nobody thought of.
    const batch = [record(id, 1), { ...record(id, 2), signature: 'a\u0000b' }, record(id, 3)];
    const neighbours = [record('device-clean', 1)];
    const [poisoned, clean] = await Promise.all([
      commits.submit(DeviceId.parse(id), batch),
      commits.submit(DeviceId.parse('device-clean'), neighbours),
    ]);
    expect(poisoned.decisions.map(({ verdict }) => verdict)).toEqual(['accepted', 'failed', 'accepted']);
    expect(clean.decisions).toEqual([{ verdict: 'accepted' }]);
    expect((await stored(ground, id)).map(({ seq }) => seq)).toEqual([1, 3]);
    expect(await commits.submit(DeviceId.parse(id), [record(id, 2)])).toMatchObject({
      decisions: [{ verdict: 'accepted' }],
    });
  });
});

describe('PostgreSQL away in the middle of the load', () => {
  it('answers 503 with Retry-After, keeps every acknowledged message once, and comes back by itself', async () => {
    const cars = await Promise.all(['a', 'b', 'c', 'd'].map((letter) => ground.vehicle(`device-outage-${letter}`)));
    const acknowledged = new Map<string, Set<number>>(cars.map((car) => [car.deviceId, new Set()]));
    const refusals: HttpAnswer[] = [];
    const stop = { now: false };
    const drive = async (car: TestVehicle, index: number) => {
      for (let seq = 1; !stop.now; ) {
        const message = car.message(seq);
        for (;;) {
          const answer = await car.post(index % 2 === 0 ? first : second, message);
          if (answer.status === 200) break;
          refusals.push(answer);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        acknowledged.get(car.deviceId)!.add(seq++);
      }
    };
    const drives = cars.map(drive);
    for (let outage = 0; outage < 3; outage++) {
      await new Promise((resolve) => setTimeout(resolve, 400));
      await cutDatabase(600);
    }
    await until(() => [...acknowledged.values()].every(({ size }) => size > 10), 20_000);
    stop.now = true;
    await Promise.all(drives);
    expect(refusals.length).toBeGreaterThan(0);
    for (const { status, body, headers } of refusals) {
      expect({ status, code: body.code }).toEqual({ status: 503, code: 'service.unavailable' });
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
    }
    for (const car of cars) {
      const seqs = (await stored(ground, car.deviceId)).map(({ seq }) => seq).sort((a, b) => a - b);
      expect(seqs).toEqual([...acknowledged.get(car.deviceId)!]);
    }
  });

  /** Ends every connection of the service to its database and lets none in for a while. */
  async function cutDatabase(ms: number): Promise<void> {
    const { name, schema } = ground.database;
    await ground.query(`ALTER ROLE "${schema}" CONNECTION LIMIT -1`);
    await ground.query(`ALTER DATABASE "${name}" CONNECTION LIMIT 0`);
    await ground.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = $2', [
      name,
      schema,
    ]);
    await new Promise((resolve) => setTimeout(resolve, ms));
    await ground.query(`ALTER DATABASE "${name}" CONNECTION LIMIT -1`);
  }
});

describe('over capacity', () => {
  it('refuses with Retry-After instead of dropping', async () => {
    const small = await startService(ground, 3, { maxQueuedRecords: 50 });
    const car = await ground.vehicle('device-flood');
    const batches = Array.from({ length: 12 }, (_, b) =>
      Array.from({ length: 40 }, (_, i) => car.message(b * 40 + i + 1)),
    );
    const blocker = await ground.database.admin();
    try {
      await car.post(small, car.message(1000));
      await blocker.query('BEGIN');
      await blocker.query('SELECT 1 FROM devices WHERE device_id = $1 FOR UPDATE', [car.deviceId]);
      const flood = Promise.all(
        batches.map((batch) =>
          small.app
            .get(GroupCommit)
            .submit(
              car.deviceId,
              batch.map((m) => record(car.deviceId, m.payload.seq as number)),
            )
            .catch((error: unknown) => error),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
      await blocker.query('COMMIT');
      const settled = await flood;
      const refused = settled.filter((one) => one instanceof Error);
      expect(refused.length).toBeGreaterThanOrEqual(8);
      expect(refused[0]).toMatchObject({ code: 'service.overloaded', retryAfterSeconds: 1 });
      expect(await stored(ground, car.deviceId)).toHaveLength(1 + 40 * (settled.length - refused.length));
    } finally {
      await blocker.end();
      await small.close();
    }
  });
});

describe('accepted messages', () => {
  it('go out on JetStream after the commit, one event each, duplicates none', async () => {
    const car = await ground.vehicle('device-events');
    const message = car.message(1);
    await car.post(first, message);
    await car.post(first, message);
    const deadline = Date.now() + 5000;
    while (Date.now() < deadline && (await ground.query('SELECT 1 FROM event_groups')).length > 0)
      await new Promise((r) => setTimeout(r, 50));
    const connection = await ground.nats.connectAs('provisioner');
    const subject = `${messageAccepted.subject}.${car.deviceId}`;
    const api = async (name: string, request: object) =>
      (await connection.request(`$JS.API.STREAM.${name}.EVENTS`, JSON.stringify(request))).json<{
        state: { subjects: object };
        message: { data: string };
      }>();
    expect((await api('INFO', { subjects_filter: subject })).state.subjects).toEqual({ [subject]: 1 });
    const { message: kept } = await api('MSG.GET', { last_by_subj: subject });
    const event = messageAccepted.payload.parse(JSON.parse(Buffer.from(kept.data, 'base64').toString()));
    expect(event).toMatchObject({ deviceId: car.deviceId, seq: 1, payload: JSON.stringify(message.payload) });
    await connection.close();
  });
});

function record(deviceId: string, seq: number): VerifiedRecord {
  const payload = Buffer.from(`{"device_id":"${deviceId}","seq":${seq}}`);
  return {
    deviceId: DeviceId.parse(deviceId),
    stream: StreamName.parse('main'),
    epoch: Epoch.parse(0),
    seq: SequenceNumber.parse(seq),
    ts: Date.now() / 1000,
    thumbprint: 'A'.repeat(43) as VerifiedRecord['thumbprint'],
    algorithm: 'EdDSA',
    tokenId: 'token-1',
    format: 'json',
    payload,
    signature: 'ab',
    canonicalSha256: sha256Hex(payload),
    text: () => payload.toString(),
  };
}
