import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BATCH_RECORDS, BatchQueue, type QueuedRequest } from './batch-queue.js';

const ROOMY = { maxRecords: 10_000, maxBytes: 1e9, maxDeviceRecords: 10_000 };

function request(deviceId: string, records = 1, bytes = 1): QueuedRequest {
  return { deviceId, records, bytes };
}

function next(queue: BatchQueue<QueuedRequest>): string[] {
  const batch = queue.take();
  queue.done(batch);
  return batch.map(({ deviceId, records }) => `${deviceId}:${records}`);
}

describe('BatchQueue', () => {
  it('gives out what waits of a device, oldest first, in batches of at most 256 records', () => {
    const queue = new BatchQueue(ROOMY);
    for (const records of [200, 50, 10, 1000, 1]) expect(queue.add(request('a', records))).toBe('taken');
    expect([next(queue), next(queue), next(queue), next(queue), next(queue)]).toEqual([
      ['a:200', 'a:50'],
      ['a:10'],
      ['a:1000'],
      ['a:1'],
      [],
    ]);
  });

  it('gives devices their turns: whoever has much waiting is not before whoever has little', () => {
    const queue = new BatchQueue(ROOMY);
    for (let n = 0; n < 5; n++) queue.add(request('loud', 100));
    for (const quiet of ['b', 'c']) queue.add(request(quiet));
    expect(next(queue)).toEqual(['loud:100', 'b:1', 'c:1', 'loud:100']);
    queue.add(request('d'));
    expect(next(queue)).toEqual(['loud:100', 'd:1', 'loud:100']);
  });

  it('lets a request that does not fit be the first of the next batch, however much comes after it', () => {
    const queue = new BatchQueue(ROOMY);
    queue.add(request('a', 200));
    queue.add(request('big', 250));
    for (let n = 0; n < 9; n++) queue.add(request(`small-${n}`));
    expect(next(queue)).toEqual(['a:200']);
    expect(next(queue)[0]).toBe('big:250');
  });

  it('has a device in one batch at a time, and serves the others meanwhile', () => {
    const queue = new BatchQueue(ROOMY);
    queue.add(request('a'));
    const first = queue.take();
    queue.add(request('a'));
    queue.add(request('b'));
    expect(next(queue)).toEqual(['b:1']);
    expect(next(queue)).toEqual([]);
    queue.done(first);
    expect(next(queue)).toEqual(['a:1']);
  });

  it('takes nothing over its capacity in records or in bytes', () => {
    const queue = new BatchQueue({ maxRecords: 10, maxBytes: 100, maxDeviceRecords: 10 });
    expect(queue.add(request('a', 9))).toBe('taken');
    expect(queue.add(request('b', 2))).toBe('full');
    expect(queue.add(request('b', 1, 100))).toBe('full');
    expect(queue.add(request('b', 1, 99))).toBe('taken');
    queue.take();
    expect(queue.add(request('b', 2))).toBe('taken');
  });

  it('gives one device its share and no more; another finds room beside it', () => {
    const queue = new BatchQueue({ maxRecords: 100, maxBytes: 1e9, maxDeviceRecords: 10 });
    expect(queue.add(request('loud', 8))).toBe('taken');
    expect(queue.add(request('loud', 3))).toBe('device_full');
    expect(queue.add(request('quiet', 3))).toBe('taken');
  });

  it('takes any one request when it is empty, else it could never be taken', () => {
    const queue = new BatchQueue({ maxRecords: 10, maxBytes: 100, maxDeviceRecords: 5 });
    expect(queue.add(request('a', 1000, 1e6))).toBe('taken');
    expect(queue.add(request('b'))).toBe('full');
  });

  it('loses nothing, doubles nothing, keeps each device in order and out of two batches, whatever happens', () => {
    const device = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      fc.record({ deviceId: device, records: fc.integer({ min: 1, max: 400 }) }),
      fc.constant('take' as const),
      fc.constant('done' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const limits = { maxRecords: 2000, maxBytes: 1e9, maxDeviceRecords: 1200 };
        const queue = new BatchQueue<QueuedRequest & { id: number }>(limits);
        const taken: number[] = [];
        const given: { deviceId: string; id: number }[] = [];
        const open: (QueuedRequest & { id: number })[][] = [];
        const take = () => {
          const batch = queue.take();
          const busy = new Set(open.flat().map(({ deviceId }) => deviceId));
          expect(batch.some(({ deviceId }) => busy.has(deviceId))).toBe(false);
          const records = batch.reduce((sum, request) => sum + request.records, 0);
          expect(batch.length <= 1 || records <= BATCH_RECORDS).toBe(true);
          given.push(...batch);
          open.push(batch);
          return batch.length;
        };
        let id = 0;
        for (const one of steps) {
          if (one === 'take') take();
          else if (one === 'done') queue.done(open.shift() ?? []);
          else if (queue.add({ ...one, id: ++id, bytes: 1 }) === 'taken') taken.push(id);
          expect(queue.size).toBeLessThanOrEqual(2000);
        }
        do {
          for (const batch of open.splice(0)) queue.done(batch);
        } while (take() > 0);
        expect(given.map((request) => request.id).sort((a, b) => a - b)).toEqual(taken);
        for (const deviceId of ['a', 'b', 'c']) {
          const own = given.filter((request) => request.deviceId === deviceId).map((request) => request.id);
          expect(own).toEqual([...own].sort((a, b) => a - b));
        }
        expect(queue.size).toBe(0);
      }),
    );
  });
});
