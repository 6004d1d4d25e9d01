import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import {
  type Ground,
  type HttpAnswer,
  prepareGround,
  type Service,
  startService,
  stored,
  TestVehicle,
} from '../telemetry.fixture.js';

let ground: Ground;
let service: Service;
let loud: TestVehicle;
let quiet: TestVehicle;
let blocker: pg.Client;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1, {
    maxQueuedRecords: 1000,
    maxQueuedRecordsPerDevice: 50,
    commitLagMs: 1000,
  });
  [loud, quiet] = await Promise.all([
    TestVehicle.create(ground, 'device-loud'),
    TestVehicle.create(ground, 'device-quiet'),
  ]);
  blocker = await ground.database.admin();
}, 60_000);

afterAll(async () => {
  loud?.close();
  quiet?.close();
  await blocker?.end();
  await service?.close();
  await ground?.stop();
});

/** As a row that is slow to write: whoever needs these devices waits until it is let go. */
async function holding(deviceIds: readonly string[], work: () => Promise<void>): Promise<void> {
  await blocker.query('BEGIN');
  await blocker.query('SELECT FROM devices WHERE device_id = ANY($1) ORDER BY device_id FOR UPDATE', [deviceIds]);
  try {
    await work();
  } finally {
    await blocker.query('ROLLBACK');
  }
}

/** So many transactions of the service wait for a lock. */
async function waiting(count: number): Promise<void> {
  for (;;) {
    const { rows } = await blocker.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    if (rows[0].n >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('one loud vehicle whose rows are slow', () => {
  it('slows no other: those are answered while it waits, and what it has too much of is refused, not dropped', async () => {
    for (const car of [loud, quiet]) expect((await car.post(service, car.message(1))).status).toBe(200);
    const bodies = Array.from({ length: 16 }, (_, body) =>
      Array.from({ length: 25 }, (_, index) => loud.message(2 + body * 25 + index)),
    );
    const early: number[] = [];
    const flood: Promise<HttpAnswer>[] = [];
    await holding([loud.deviceId], async () => {
      for (const body of bodies) {
        const answer = loud.post(service, body);
        void answer.then(({ status }) => early.push(status));
        flood.push(answer);
      }
      await waiting(1);
      for (let seq = 2; seq <= 20; seq++) {
        const answer = await quiet.post(service, quiet.message(seq));
        expect(answer.body.results).toEqual([{ seq, verdict: 'accepted' }]);
      }
      // All that the loud one was told meanwhile is that it has enough waiting.
      expect(early.filter((status) => status !== 429)).toEqual([]);
    });
    const answers = await Promise.all(flood);
    const refused = answers.filter(({ status }) => status !== 200);
    for (const { status, body, headers } of refused) {
      expect({ status, code: body.code }).toEqual({ status: 429, code: 'request.too_many' });
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
    }
    expect(refused.length).toBeGreaterThan(0);
    expect(await stored(ground, loud.deviceId)).toHaveLength(1 + 25 * (answers.length - refused.length));
    for (const body of bodies) expect((await loud.post(service, body)).status).toBe(200);
    expect(await stored(ground, loud.deviceId)).toHaveLength(1 + 25 * bodies.length);
  });
});

describe('a database that lags', () => {
  it('is told with 503 and Retry-After as soon as every commit is late, and all is well once it has caught up', async () => {
    const others = await Promise.all(['device-lag-a', 'device-lag-b'].map((name) => TestVehicle.create(ground, name)));
    for (const car of others) await car.post(service, car.message(1));
    const late: Promise<HttpAnswer>[] = [];
    await holding(
      others.map(({ deviceId }) => deviceId),
      async () => {
        for (const [index, car] of others.entries()) {
          late.push(car.post(service, car.message(2)));
          await waiting(index + 1);
        }
        await new Promise((resolve) => setTimeout(resolve, 1100));
        const refused = await quiet.post(service, quiet.message(21));
        expect(refused.status).toBe(503);
        expect(refused.body).toMatchObject({ code: 'service.overloaded', detail: 'the database lags' });
        expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
      },
    );
    expect((await Promise.all(late)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await quiet.post(service, quiet.message(21))).status).toBe(200);
    for (const car of others) car.close();
  });
});

describe('a vehicle, and a fleet, above their rates', () => {
  /** Rates that give nothing back while a test runs: what is left is what was not sent. */
  const limits = { device: { perSecond: 0.001, burst: 1000 }, fleet: { perSecond: 0.001, burst: 1662 } };
  const POLICY = '"device";q=1000;w=1000000;qu="records"';

  it('are told by 429, Retry-After and the RateLimit fields; nothing of what is refused is stored', async () => {
    const limited = await startService(ground, 2, { limits });
    const [fast, other, vast] = await Promise.all(
      ['device-fast', 'device-other', 'device-vast'].map((name) => TestVehicle.create(ground, name)),
    );
    if (!fast || !other || !vast) throw new Error('no vehicles');
    try {
      const first = await fast.post(limited, fast.message(1));
      expect(first.headers).toMatchObject({ 'ratelimit-policy': POLICY, ratelimit: '"device";r=999;t=1000' });
      expect((await fast.post(limited, 'no JSON')).headers.ratelimit).toMatch('"device";r=998;');
      // What is large counts by its size, though nobody can read it.
      const large = await vast.post(limited, 'x'.repeat(1_000_000));
      expect(large.headers.ratelimit).toMatch('"device";r=938;');
      const many = (from: number, count: number) =>
        Array.from({ length: count }, (_, index) => fast.message(from + index));
      const tooMany = await fast.post(limited, many(2, 999));
      expect({ status: tooMany.status, code: tooMany.body.code }).toEqual({ status: 429, code: 'request.too_many' });
      expect(tooMany.headers.ratelimit).toMatch(new RegExp(`^"device";r=997;t=${tooMany.headers['retry-after']}$`));
      expect(Number(tooMany.headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect((await fast.post(limited, many(2, 997))).body).toMatchObject({ accepted: 997 });
      expect((await fast.post(limited, fast.message(999))).status).toBe(429);
      expect(await stored(ground, fast.deviceId)).toHaveLength(998);
      // Another device has its own; all together have one more.
      expect((await other.post(limited, other.message(1))).headers.ratelimit).toBe('"device";r=999;t=1000');
      const rest = Array.from({ length: 700 }, (_, index) => other.message(2 + index));
      const ofFleet = await other.post(limited, rest);
      expect(ofFleet.status).toBe(429);
      expect(ofFleet.headers).toMatchObject({ 'ratelimit-policy': '"fleet";q=1662;w=1662000;qu="records"' });
      expect((await other.post(limited, rest.slice(0, 500))).body).toMatchObject({ accepted: 500 });
      // Whatever else counts says so too: windows, orders, and what goes about offline logs, found or not.
      for (const [method, path, status, left] of [
        ['GET', '/v1/telemetry/window', 200, 937],
        ['GET', '/v1/telemetry/fetch-orders', 200, 936],
        ['GET', '/v1/telemetry/offline-logs/00000000-0000-4000-8000-000000000000', 404, 935],
      ] as const) {
        const answer = await vast.ask(limited, method, path, undefined, 'telemetry:write telemetry:backfill');
        expect({ status: answer.status, left: answer.headers.ratelimit }).toMatchObject({
          status,
          left: expect.stringContaining(`"device";r=${left};`),
        });
      }
    } finally {
      fast.close();
      other.close();
      vast.close();
      await limited.close();
    }
  });
});
