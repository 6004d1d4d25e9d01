import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BATCH_RECORDS, BatchQueue } from './batch-queue.js';

describe('BatchQueue', () => {
  it('gives out what waits, oldest first, in batches of at most 256 records', () => {
    const queue = new BatchQueue({ maxRecords: 10_000, maxBytes: 1e9 });
    const sizes = [200, 50, 10, 1000, 1];
    for (const records of sizes) expect(queue.add({ records, bytes: 1 })).toBe(true);
    const batches = [queue.take(), queue.take(), queue.take(), queue.take(), queue.take()];
    expect(batches.map((batch) => batch.map(({ records }) => records))).toEqual([[200, 50], [10], [1000], [1], []]);
  });

  it('takes nothing over its capacity in records or in bytes', () => {
    const queue = new BatchQueue({ maxRecords: 10, maxBytes: 100 });
    expect(queue.add({ records: 9, bytes: 1 })).toBe(true);
    expect(queue.add({ records: 2, bytes: 1 })).toBe(false);
    expect(queue.add({ records: 1, bytes: 100 })).toBe(false);
    expect(queue.add({ records: 1, bytes: 99 })).toBe(true);
    queue.take();
    expect(queue.add({ records: 2, bytes: 1 })).toBe(true);
  });

  it('takes any one request when it is empty, else it could never be taken', () => {
    const queue = new BatchQueue({ maxRecords: 10, maxBytes: 100 });
    expect(queue.add({ records: 1000, bytes: 1e6 })).toBe(true);
    expect(queue.add({ records: 1, bytes: 1 })).toBe(false);
  });

  it('loses nothing, doubles nothing and counts right, whatever the order of adding and taking', () => {
    const step = fc.oneof(fc.integer({ min: 1, max: 400 }), fc.constant('take' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new BatchQueue<{ id: number; records: number; bytes: number }>({
          maxRecords: 2000,
          maxBytes: 1e9,
        });
        const expected: number[] = [];
        const given: number[] = [];
        let id = 0;
        for (const one of steps) {
          if (one === 'take') given.push(...queue.take().map((request) => request.id));
          else if (queue.add({ id: ++id, records: one, bytes: 1 })) expected.push(id);
          expect(queue.size).toBeLessThanOrEqual(2000);
        }
        for (let batch = queue.take(); batch.length > 0; batch = queue.take()) {
          const records = batch.reduce((sum, request) => sum + request.records, 0);
          expect(batch.length === 1 || records <= BATCH_RECORDS).toBe(true);
          given.push(...batch.map((request) => request.id));
        }
        expect(given).toEqual(expected);
        expect(queue.size).toBe(0);
      }),
    );
  });
});
