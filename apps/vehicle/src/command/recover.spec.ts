/** What `recover` and `fetch-logs` have the agent do, against a platform that lets it or not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestFleet, type TestFleet } from '@outrider/testing';
import { Vehicle } from '../agent/vehicle.service.js';
import { VehicleGround } from '../agent/vehicle-ground.fixture.js';
import { claims, commandsOf, ID, OTHER, type SignedCommands } from './signed.fixture.js';

let fleet: TestFleet;
let command: SignedCommands;
let ground: VehicleGround;

beforeAll(async () => {
  fleet = await createTestFleet();
  command = await commandsOf(fleet);
});
beforeEach(async () => {
  ground = await VehicleGround.start(fleet);
});
afterEach(() => ground.stop());

function offer(name: string, parameters: object = {}, id = ID): void {
  const counter = id === ID ? 1 : 2;
  ground.platform.release = (_id, nonce) => command({ command_id: id, name, parameters, nonce, counter });
  ground.platform.offers.push({ id, critical: true });
}
const outcome = (nth = 0) => claims(ground.platform.outcomes[nth]!.outcome);
const operations = () => ground.platform.requests.map(({ operation, peer }) => `${operation} by ${peer}`);
const keyName = () => JSON.parse(readFileSync(join(ground.home, 'state', 'identity.json'), 'utf8')).keyName;

describe('recover', () => {
  it('in service: the fleet certificate is renewed with another key, once', async () => {
    offer('recover');
    await ground.drive({ drive: undefined }, () => ground.count('renewed') === 1, 'another certificate');
    expect(outcome()).toMatchObject({ result: 'succeeded' });
    await ground.drive({ drive: undefined }, () => ground.count('stream_open') === 2, 'another start');
    expect(operations()).toEqual(['simpleenroll by device-1', 'simplereenroll by device-1']);
    expect(keyName()).toBe('ldevid-2');
  });

  it('out of service: it knocks with the factory certificate until it is let in, across a restart', async () => {
    const vehicle = await Vehicle.open(ground.options({ drive: undefined }));
    const running = vehicle.run();
    await ground.until(() => ground.count('stream_open') === 1, 'a stream');
    ground.platform.refuseRenewals = 'denylist.certificate';
    ground.platform.refuseEnrolments = 'denylist.device';
    offer('recover', { order: ID });
    await ground.until(() => ground.platform.outcomes.length === 1 && operations().length >= 3, 'a refused try');
    vehicle.stop();
    await running;
    expect(keyName()).toBe('ldevid-1');
    ground.platform.refuseEnrolments = undefined;
    const tried = ground.platform.requests.length;
    await ground.drive({ drive: undefined }, () => ground.count('enrolled') === 2, 'the enrolment');
    expect(operations().slice(0, 3)).toEqual([
      'simpleenroll by device-1',
      'simplereenroll by device-1',
      'simpleenroll by device-1',
    ]);
    expect(ground.platform.requests.length).toBeGreaterThan(tried);
    expect(keyName()).toBe('ldevid-2');
    // One key and one request, however often it was tried.
    expect(new Set(ground.platform.requests.slice(1).map(({ body }) => body)).size).toBe(1);
  });
});

describe('fetch-logs', () => {
  const ORDER = {
    id: '7f1c2c3e-5a0f-4d5c-9a3e-2f6f3a1b4c5d',
    nonce: 'q'.repeat(43),
    stream: 'main',
    epoch: 0,
    ranges: [[1, 5]],
    reason: 'held',
    expires_at: '2100-01-01T00:00:00Z',
  };
  const UPLOAD = '00000000-0000-4000-8000-000000000001';

  /** Orders once what the vehicle says that it holds. */
  function ordering(results: object[], refused = false) {
    const seen = { held: [] as unknown[], segments: 0, finished: 0 };
    ground.platform.logs = (method, path, body) => {
      if (path.endsWith('/fetch-orders')) {
        seen.held.push(JSON.parse(body));
        return { status: 200, body: { orders: seen.finished === 0 ? [ORDER] : [] } };
      }
      if (path.endsWith('/offline-logs')) return { status: 200, body: { upload: UPLOAD, received: 0 } };
      if (method === 'PUT') seen.segments += 1;
      if (!path.endsWith('/finish')) return { status: 200, body: {} };
      if (refused) return { status: 422, body: { code: 'telemetry.log_edited' } };
      seen.finished += 1;
      return { status: 200, body: { results } };
    };
    return seen;
  }

  it('delivers what was recorded, sent before or not, and says what became of it', async () => {
    await ground.drive({ count: 5 }, () => ground.platform.received.length === 5, 'five records');
    const seen = ordering([
      { epoch: 0, from: 1, to: 3, verdict: 'duplicate' },
      { epoch: 0, from: 4, to: 5, verdict: 'accepted' },
    ]);
    offer('fetch-logs', { hours: 1 });
    await ground.drive({ drive: undefined }, () => ground.platform.outcomes.length === 1, 'an outcome');
    expect(outcome()).toMatchObject({
      result: 'succeeded',
      detail: 'of 5 records of the last 1 hours 2 delivered, 3 known already',
      data: { records: 5, delivered: 2, known: 3, refused: 0 },
    });
    expect(seen).toMatchObject({ segments: 1, finished: 1 });
    expect(seen.held[0]).toEqual({ stream: 'main', epoch: 0, held: [[1, 5]] });
  });

  it('fails, and says of how many, when it gave up an order that the platform refused, then and whenever it is asked', async () => {
    await ground.drive({ count: 5 }, () => ground.platform.received.length === 5, 'five records');
    ordering([], true);
    const failed = {
      result: 'failed',
      detail: 'of 5 records of the last 1 hours 0 delivered, 0 known already, 5 in orders that came to nothing',
      data: { records: 5, delivered: 0, known: 0, refused: 0, given_up: 5 },
    };
    offer('fetch-logs', { hours: 1 });
    await ground.drive({ drive: undefined }, () => ground.platform.outcomes.length === 1, 'an outcome');
    expect(outcome()).toMatchObject(failed);
    offer('fetch-logs', { hours: 1 }, OTHER);
    await ground.drive({ drive: undefined }, () => ground.platform.outcomes.length === 2, 'another outcome');
    expect(outcome(1)).toMatchObject(failed);
  });

  it('keeps an immobilise waiting no longer than its answer may take, and delivers what is left afterwards', async () => {
    await ground.drive({ count: 5 }, () => ground.platform.received.length === 5, 'five records');
    ground.platform.logs = () => ({ status: 503, body: {} });
    offer('fetch-logs');
    const vehicle = await Vehicle.open(ground.options({ drive: undefined, logsWithinMs: 200 }));
    const running = vehicle.run();
    try {
      await ground.until(() => ground.platform.outcomes.length === 1, 'an answer without the log');
      expect(outcome()).toMatchObject({ result: 'failed', detail: expect.stringContaining('in time') });
      offer('immobilise', {}, OTHER);
      await ground.until(() => ground.platform.outcomes.length === 2, 'the immobilise');
      expect(outcome(1)).toMatchObject({ command_id: OTHER, result: 'succeeded' });
      const seen = ordering([{ epoch: 0, from: 1, to: 5, verdict: 'accepted' }]);
      await ground.until(() => ground.count('backfilled') === 1, 'the delivery');
      expect(seen.finished).toBe(1);
    } finally {
      vehicle.stop();
      await running;
    }
  });

  it('interrupted by the end of the agent, it says nothing yet, and is taken up at the next start', async () => {
    await ground.drive({ count: 5 }, () => ground.platform.received.length === 5, 'five records');
    ground.platform.logs = () => ({ status: 503, body: {} });
    offer('fetch-logs');
    await ground.drive({ drive: undefined }, () => ground.count('command_executing') === 1, 'a beginning');
    expect(ground.platform.outcomes).toHaveLength(0);
    ordering([{ epoch: 0, from: 1, to: 5, verdict: 'duplicate' }]);
    await ground.drive({ drive: undefined }, () => ground.platform.outcomes.length === 1, 'an outcome');
    expect(outcome()).toMatchObject({ result: 'succeeded', data: { known: 5, refused: 0 } });
  });
});
