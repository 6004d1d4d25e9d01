import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../telemetry.fixture.js';
import { LogGround, now, UPLOADS } from './log-ground.fixture.js';

let ground: LogGround;

beforeAll(async () => {
  ground = await LogGround.start();
}, 120_000);

afterAll(() => ground?.stop());

describe('a fetch order', () => {
  it('is issued, listed and cancelled by an operator, and told to its vehicle', async () => {
    const { vehicle } = await ground.car('log-order');
    const asked = await ground.order(vehicle, [
      [5, 9],
      [8, 20],
    ]);
    expect(asked).toMatchObject({
      ranges: [[5, 20]],
      stream: 'main',
      epoch: 0,
      state: 'open',
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    const told = { id: asked.id, nonce: asked.nonce, ranges: [[5, 20]], reason: 'a look at a tunnel' };
    const asks = [
      await vehicle.ask(ground.service, 'GET', '/v1/telemetry/fetch-orders'),
      await vehicle.post(ground.service, vehicle.message(101)),
    ];
    for (const { body } of asks) expect(body.orders).toMatchObject([told]);
    const path = `/v1/devices/${vehicle.deviceId}/fetch-orders`;
    expect((await ground.operator('GET', path)).body.items).toMatchObject([
      { ...told, state: 'open', issued_by: expect.stringMatching(/^op:/) },
    ]);
    expect(await ground.operator('POST', `${path}/${asked.id}/cancel`)).toMatchObject({
      status: 200,
      body: { state: 'cancelled' },
    });
    expect((await ground.operator('GET', path)).body.items[0]).toMatchObject({ state: 'cancelled' });
    expect((await vehicle.post(ground.service, vehicle.message(102))).body.orders).toBeUndefined();
    expect(await vehicle.ask(ground.service, 'POST', UPLOADS, { order: asked.id })).toMatchObject({
      status: 409,
      body: { code: 'telemetry.order_cancelled' },
    });
  });

  it.each([
    ['too long a time', { ranges: [[1, 2]], reason: 'x', validSeconds: 72 * 3600 + 1 }, 400],
    ['too many numbers', { ranges: [[1, 20_001]], reason: 'x' }, 400],
    ['a range that ends before it begins', { ranges: [[2, 1]], reason: 'x' }, 400],
    ['no reason', { ranges: [[1, 2]] }, 400],
  ])('is not issued for %s', async (_name, body, status) => {
    const { vehicle } = await ground.car(`log-bad-${status}-${_name.length}`);
    expect((await ground.operator('POST', `/v1/devices/${vehicle.deviceId}/fetch-orders`, body)).status).toBe(status);
  });

  it('is not issued without the right to, nor for a device that nobody knows', async () => {
    const body = { ranges: [[1, 2]], reason: 'x' };
    expect((await ground.operator('POST', '/v1/devices/log-nobody/fetch-orders', body)).body.code).toBe(
      'telemetry.unknown_device',
    );
    expect((await ground.operator('POST', '/v1/devices/log-nobody/fetch-orders', body, 'device:read')).status).toBe(
      403,
    );
  });

  it('is issued by itself for what came too late, once the window has passed it', async () => {
    const { vehicle } = await ground.car('log-late', 10);
    const old = [11, 12, 13].map((seq) => vehicle.message(seq, { ts: now() - 4000 }));
    const late = await vehicle.post(ground.service, old);
    expect(late.body.results.map(({ verdict }: { verdict: string }) => verdict)).toEqual([
      'skewed',
      'skewed',
      'skewed',
    ]);
    expect(late.body.orders).toBeUndefined();
    const live = await vehicle.post(ground.service, vehicle.message(14));
    expect(live.body.orders).toMatchObject([{ ranges: [[11, 13]], reason: 'too_late' }]);
    // Not again at the next contact.
    const again = await vehicle.post(ground.service, [vehicle.message(11, { ts: now() - 4000 }), vehicle.message(15)]);
    expect(again.body.orders).toHaveLength(1);
  });

  it('is one for all that one body makes the window skip', async () => {
    const { vehicle } = await ground.car('log-skips', 10);
    const jumps = Array.from({ length: 40 }, (_, index) => vehicle.message(2000 + index * 2000));
    const { body } = await vehicle.post(ground.service, jumps);
    expect(body.accepted).toBe(40);
    expect(body.orders).toHaveLength(1);
    expect(body.orders[0].ranges).toHaveLength(21);
  });

  it('is issued by itself for what the window skipped', async () => {
    const { vehicle } = await ground.car('log-skip', 10);
    const { body } = await vehicle.post(ground.service, vehicle.message(3000));
    expect(body.orders).toMatchObject([{ ranges: [[11, 3000 - 1024]], reason: 'gap' }]);
  });

  it('is issued by itself at a reconnect for what the window misses, and for what a vehicle says it holds, never too many', async () => {
    const { vehicle } = await ground.car('log-held', 10);
    await vehicle.post(ground.service, vehicle.message(20));
    const window = await vehicle.get(ground.service, '/v1/telemetry/window');
    expect(window.body.orders).toMatchObject([
      {
        ranges: [
          [1, 9],
          [11, 19],
        ],
        reason: 'gap',
      },
    ]);
    const held = {
      held: [
        [5, 9],
        [25, 30],
      ],
    };
    expect((await vehicle.ask(ground.service, 'POST', '/v1/telemetry/fetch-orders', held)).body.orders).toHaveLength(1);
    for (let seq = 2000; seq < 14_000; seq += 2000) {
      await vehicle.post(ground.service, vehicle.message(seq));
    }
    const { body } = await vehicle.ask(ground.service, 'GET', '/v1/telemetry/fetch-orders');
    expect(body.orders).toHaveLength(4);
  });
});

describe('a log that takes long to verify', () => {
  it('holds one place, whatever else its vehicle asks for, and other vehicles have theirs', async () => {
    const ready = async (name: string) => {
      const { vehicle, log } = await ground.car(name);
      const asked = await ground.order(vehicle, [[11, 12]]);
      log.fill(11, 2, now() - 7200, 10, now());
      const id = await ground.begin(vehicle, asked);
      await vehicle.ask(ground.service, 'PUT', `${UPLOADS}/${id}/segments/0`, log.segments[0]);
      const finish = () => vehicle.ask(ground.service, 'POST', `${UPLOADS}/${id}/finish`, log.delivery(asked));
      return { id, finish };
    };
    const [slow, other] = [await ready('log-slow'), await ready('log-beside')];
    const blocker = await ground.ground.database.admin();
    try {
      await blocker.query('BEGIN');
      await blocker.query('SELECT FROM log_uploads WHERE upload_id = $1 FOR UPDATE', [slow.id]);
      const first = slow.finish();
      const waits = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      await until(async () => (await blocker.query(waits)).rowCount === 1, 20_000);
      expect(await slow.finish()).toMatchObject({ status: 503, body: { code: 'service.overloaded' } });
      expect((await other.finish()).status).toBe(200);
      await blocker.query('ROLLBACK');
      expect((await first).status).toBe(200);
    } finally {
      await blocker.end();
    }
  });
});
