import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { TestOperator } from '../reading/operator.fixture.js';
import { takingIn } from '../reading/reading.repository.js';
import { Partitions } from '../store/partitions.service.js';
import { until } from '../telemetry.fixture.js';
import { LogGround, now, UPLOADS } from './log-ground.fixture.js';
import { UploadSweep } from './upload-sweep.service.js';

let ground: LogGround;
let operator: TestOperator;

beforeAll(async () => {
  ground = await LogGround.start();
  operator = new TestOperator(ground.ground, ground.service);
}, 120_000);

afterAll(async () => {
  operator?.close();
  await ground?.stop();
});

describe('what an offline log brought', () => {
  it('is read beside the live messages, with its order, and counted', async () => {
    const { vehicle, log } = await ground.car('log-read');
    const asked = await ground.order(vehicle, [[11, 16]]);
    log.fill(11, 6, now() - 7200, 3, now());
    expect((await ground.upload(vehicle, asked, log.segments, log.delivery(asked))).status).toBe(200);

    const path = `/v1/devices/${vehicle.deviceId}/telemetry`;
    const items = async (query = '') => JSON.parse((await operator.get(`${path}${query}`)).text).items;
    await until(async () => (await items()).length === 7, 20_000);
    const told = async (query: string) => (await items(query)).map((one: { seq: number }) => one.seq);
    expect(await told('?source=all')).toEqual([100, 11, 12, 13, 14, 15, 16]);
    expect(await told('?source=live')).toEqual([100]);
    expect(await told('?source=log')).toEqual([11, 12, 13, 14, 15, 16]);
    expect(await told('?latest=2')).toEqual([15, 16]);
    expect(await told('?latest=2&source=live')).toEqual([100]);

    const [live, , , , , last] = await items();
    expect(live).toMatchObject({ seq: 100, source: 'live', log: null });
    expect(last).toMatchObject({
      source: 'log',
      log: { order: asked.id, log: 'log-1', segment: 2, standing: 'trusted' },
      signature: null,
      payload_encoding: 'text',
    });
    expect(JSON.parse(last.payload)).toMatchObject({ device_id: vehicle.deviceId, seq: 15 });
    expect((await items('?source=log&view=decoded'))[0]).toMatchObject({ telemetry: { speed: 11 }, source: 'log' });

    const seen: number[] = [];
    let after = '';
    for (let page = await operator.get(`${path}?limit=2`); ; page = await operator.get(`${path}?limit=2&${after}`)) {
      const { items: some, next } = JSON.parse(page.text);
      if (some.length === 0) break;
      seen.push(...some.map(({ seq }: { seq: number }) => seq));
      after = `after=${next}`;
    }
    expect(seen).toEqual([100, 11, 12, 13, 14, 15, 16]);
    const lines = await operator.lines(`${path}?source=log`);
    expect(lines.map(({ seq }) => seq)).toEqual([11, 12, 13, 14, 15, 16]);
    expect((await operator.get(`${path}?source=else`)).status).toBe(400);

    expect(JSON.parse((await operator.get(`${path}/statistics`)).text)).toMatchObject({
      verdicts: { accepted: 1 },
      logs: { records: 6, unanchored: 0 },
      streams: [{ stream: 'main', accepted: 7, from_logs: 6, lowest: 11, highest: 100, missing: 83 }],
      gaps: [{ missing: [17, 99] }],
    });
  });

  it('holds back no live page while it is taken in, and only pages of that device with logs', async () => {
    const [{ vehicle }, { vehicle: other }] = [await ground.car('log-slow'), await ground.car('log-beside')];
    const { host, port, name, password } = ground.ground.database;
    const taking = new pg.Client({ host, port, database: name, user: 'telemetry', password });
    await taking.connect();
    const count = async ({ deviceId }: { deviceId: string }, source: string) => {
      const { text } = await operator.get(`/v1/devices/${deviceId}/telemetry?source=${source}`);
      return JSON.parse(text).items.length as number;
    };
    try {
      await taking.query('BEGIN');
      await taking.query(`SET LOCAL application_name = '${takingIn(vehicle.deviceId)}'`);
      for (const car of [vehicle, other]) await car.post(ground.service, car.message(101));
      await until(async () => (await count(vehicle, 'live')) === 2 && (await count(other, 'all')) === 2, 20_000);
      expect(await count(vehicle, 'all')).toBe(1);
    } finally {
      await taking.end();
    }
    await until(async () => (await count(vehicle, 'all')) === 2, 20_000);
  });

  it('goes with its month, by the rule for messages and with the proof that whoever has it can compute', async () => {
    const sha256 = (data: string | Buffer) => createHash('sha256').update(data);
    const digest = (seq: number) => sha256(`old ${seq}`).digest();
    const order = '7f1c2c3e-5a0f-4d5c-9a3e-2f6f3a1b4c5e';
    for (const seq of [1, 2]) {
      await ground.query(
        `INSERT INTO log_records (device_id, stream, epoch, seq, received_at, ts, payload, canonical_sha256, order_id, log, segment,
           thumbprint, token_id, standing)
         VALUES ('device-old', 'main', 0, $1, '2020-03-01T10:00:00Z', 0, '', $2, $3, 'l', 1, 't', 't', 'trusted')`,
        [seq, digest(seq), order],
      );
    }
    await ground.query(
      `INSERT INTO log_heads (device_id, log, segment, received_at, head, head_sha256, signature, thumbprint)
       VALUES ('device-old', 'l', 1, '2020-02-01T10:00:00Z', '', $1, '', 't'), ('device-old', 'l', 2, now(), '', $1, '', 't')`,
      [digest(3)],
    );
    await ground.service.app.get(Partitions).retire();

    const proof = (day: string, ...seqs: number[]) => {
      const device = `device-old:${seqs.length}:${sha256(Buffer.concat(seqs.map(digest))).digest('hex')};`;
      return sha256(`${day}:${sha256(device).digest('hex')};`).digest('hex');
    };
    const proofs = await ground.query(
      `SELECT kept_in, partition, row_count::int AS rows, encode(sha256, 'hex') AS sha256 FROM retired_partitions ORDER BY id`,
    );
    expect(proofs).toEqual([
      { kept_in: 'log_heads', partition: 'log_heads_202002', rows: 1, sha256: proof('2020-02-01', 3) },
      { kept_in: 'log_records', partition: 'log_records_202003', rows: 2, sha256: proof('2020-03-01', 1, 2) },
    ]);
    const left = await ground.query(
      `SELECT segment::int AS segment FROM log_heads WHERE device_id = 'device-old'
       UNION ALL SELECT seq::int FROM log_records WHERE device_id = 'device-old'`,
    );
    expect(left).toEqual([{ segment: 2 }]);
    // Where nothing is to go, an index says so: not the whole table is read for it.
    await ground.query(
      `INSERT INTO log_heads (device_id, log, segment, head, head_sha256, signature, thumbprint)
       SELECT 'device-many', 'l', n, '', '', '', 't' FROM generate_series(1, 50000) AS n`,
    );
    await ground.query('ANALYZE log_heads');
    const plan = await ground.query(
      `EXPLAIN SELECT min(received_at) FROM log_heads WHERE received_at < now() - interval '1 year'`,
    );
    expect(JSON.stringify(plan)).toContain('log_heads_by_time_of_receipt');
    // The trigger is there again.
    await expect(ground.query(`DELETE FROM log_heads WHERE device_id = 'device-old'`)).rejects.toThrow(/append-only/);
  });

  it('is nothing yet while it waits for its vehicle, and goes when that can end it no more', async () => {
    const { vehicle, log } = await ground.car('log-abandoned');
    const [dead, waiting] = [await ground.order(vehicle, [[11, 12]]), await ground.order(vehicle, [[21, 22]])];
    log.fill(11, 2, now() - 7200, 10, now());
    const uploads = [await ground.begin(vehicle, dead), await ground.begin(vehicle, waiting)];
    for (const id of uploads) {
      await vehicle.ask(ground.service, 'PUT', `${UPLOADS}/${id}/segments/0`, log.segments[0]);
    }
    await ground.query(
      `INSERT INTO fetch_order_ends (device_id, order_id, how, ended_by, ended_at)
       VALUES ($1, $2, 'cancelled', 'somebody', now() - interval '2 hours')`,
      [vehicle.deviceId, dead.id],
    );
    expect(await ground.service.app.get(UploadSweep).sweep()).toBe(1);
    const left = (table: string) =>
      ground.query(`SELECT upload_id FROM ${table} WHERE device_id = $1`, [vehicle.deviceId]);
    expect(await left('log_uploads')).toEqual([{ upload_id: uploads[1] }]);
    expect(await left('log_upload_parts')).toEqual([{ upload_id: uploads[1] }]);
  });
});
