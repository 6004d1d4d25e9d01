import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestFleet, type TestFleet } from '@outrider/testing';
import { VehicleGround } from '../agent/vehicle-ground.fixture.js';

let fleet: TestFleet;
let ground: VehicleGround;

beforeAll(async () => {
  fleet = await createTestFleet();
}, 60_000);
beforeEach(async () => {
  ground = await VehicleGround.start(fleet);
});
afterEach(() => ground.stop());

const ORDER = {
  id: '7f1c2c3e-5a0f-4d5c-9a3e-2f6f3a1b4c5d',
  nonce: 'q'.repeat(43),
  stream: 'main',
  epoch: 0,
  ranges: [[1, 10]],
  reason: 'held',
  expires_at: '2100-01-01T00:00:00Z',
};
const UPLOAD = '00000000-0000-4000-8000-000000000001';

/** The platform's side of one order. `cut`: how many requests of an upload lose their connection after they counted. */
function platformThatAsks({ cut = 0, refuse = 0 } = {}) {
  const seen = { held: [] as unknown[], segments: [] as string[], finished: [] as Record<string, unknown>[], begun: 0 };
  let [lost, refused] = [0, 0];
  const lose = () => {
    lost += 1;
    return lost <= cut;
  };
  ground.platform.logs = (method, path, body) => {
    if (path.endsWith('/log-heads')) return { status: 200, body: {} };
    if (path.endsWith('/fetch-orders')) {
      seen.held.push(JSON.parse(body));
      return { status: 200, body: { orders: [ORDER] } };
    }
    if (path.endsWith('/offline-logs')) {
      seen.begun += 1;
      return { status: 200, body: { upload: UPLOAD, received: seen.segments.length } };
    }
    if (method === 'PUT') {
      const part = Number(path.split('/').at(-1));
      if (seen.segments[part] !== undefined && seen.segments[part] !== body)
        return { status: 409, body: { code: 'x.y' } };
      seen.segments[part] = body;
      return lose() ? { status: 0, body: {} } : { status: 200, body: { upload: UPLOAD, received: part + 1 } };
    }
    refused += 1;
    if (refused <= refuse) return { status: 422, body: { code: 'telemetry.log_edited', detail: 'segment 1' } };
    seen.finished.push(JSON.parse(body).delivery);
    if (lose()) return { status: 0, body: {} };
    return { status: 200, body: { results: [{ epoch: 0, from: 1, to: 10, verdict: 'accepted' }] } };
  };
  return seen;
}

const backfilled = () => ground.count('backfilled') > 0;

describe('a vehicle whose records came too late', () => {
  beforeEach(() => {
    ground.platform.verdict = (seq) => (seq <= 10 ? 'skewed' : 'accepted');
  });

  it('says what it holds, takes the order and delivers it, signed and by its nonce', async () => {
    const seen = platformThatAsks();
    await ground.drive({}, backfilled, 'the log is delivered');
    expect(seen.held[0]).toMatchObject({ stream: 'main', epoch: 0, held: [[1, expect.any(Number)]] });
    expect(seen.finished).toMatchObject([{ order: ORDER.id, nonce: ORDER.nonce, first: 1 }]);
    const first = JSON.parse(seen.segments[0] ?? '');
    expect(first.records.map((one: { seq: number }) => one.seq).slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(ground.events.find(({ event }) => event === 'backfilled')).toMatchObject({ count: 10, delivered: 10 });
    expect(ground.events.findLast(({ event }) => event === 'stopped')).toMatchObject({ held: 0 });
  });

  it('goes on after lost answers with the very same segments, and does not deliver twice', async () => {
    const seen = platformThatAsks({ cut: 2 });
    await ground.drive({}, backfilled, 'the log is delivered');
    expect(seen.begun).toBeGreaterThan(1);
    expect(new Set(seen.finished.map((delivery) => JSON.stringify(delivery))).size).toBe(1);
    expect(ground.count('backfilled')).toBe(1);
  });

  it('leaves an order alone after three refusals, loudly, and keeps what it held', async () => {
    platformThatAsks({ refuse: 9 });
    await ground.drive({}, () => ground.count('order_closed') > 0, 'the vehicle gives up');
    expect(ground.count('log_refused')).toBe(3);
    expect(ground.events.findLast(({ event }) => event === 'stopped')).toMatchObject({ held: 10 });
  });
});
