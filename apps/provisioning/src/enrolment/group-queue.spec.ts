import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import { GroupQueue, type Settled } from './group-queue.js';

const ok = (items: readonly number[]): Settled<number>[] => items.map((value) => ({ ok: true, value }));
const LIMITS = { groupSize: 4, inFlight: 1, capacity: 10 };

/** A queue whose groups wait until they are let go. */
function held(limits = LIMITS) {
  const groups: (readonly number[])[] = [];
  const gates: (() => void)[] = [];
  const queue = new GroupQueue<number, number>(async (group) => {
    groups.push(group);
    await new Promise<void>((resolve) => gates.push(resolve));
    return ok(group);
  }, limits);
  const release = () => gates.shift()?.();
  return { queue, groups, release };
}

describe('a group queue', () => {
  it('takes the first at once, and gathers the rest meanwhile', async () => {
    const { queue, groups, release } = held();
    const all = [1, 2, 3, 4, 5, 6].map((item) => queue.submit(item));
    expect(groups).toEqual([[1]]);
    for (const expected of [
      [[1], [2, 3, 4, 5]],
      [[1], [2, 3, 4, 5], [6]],
    ]) {
      release();
      await new Promise(setImmediate);
      expect(groups).toEqual(expected);
    }
    release();
    expect(await Promise.all(all)).toEqual([1, 2, 3, 4, 5, 6]);
    await queue.idle();
  });

  it('has those who come together in one group, waits after a crowd, and no longer than the group is full', async () => {
    const asked: boolean[] = [];
    let open: () => void = () => undefined;
    const groups: (readonly number[])[] = [];
    const gather = (afterCrowd: boolean) => {
      asked.push(afterCrowd);
      return new Promise<void>((resolve) => {
        open = resolve;
      });
    };
    const work = async (group: readonly number[]) => {
      groups.push(group);
      return ok(group);
    };
    const queue = new GroupQueue<number, number>(work, { ...LIMITS, inFlight: 2, gather });
    const first = [1, 2].map((item) => queue.submit(item));
    expect(groups).toEqual([]);
    open();
    expect(await Promise.all(first)).toEqual([1, 2]);
    const full = [3, 4, 5, 6, 7].map((item) => queue.submit(item));
    expect(await Promise.all(full.slice(0, 4))).toEqual([3, 4, 5, 6]);
    open();
    expect(await full[4]).toBe(7);
    const last = queue.submit(8);
    open();
    expect(await last).toBe(8);
    expect(groups).toEqual([[1, 2], [3, 4, 5, 6], [7], [8]]);
    expect(asked).toEqual([false, true, true, false]);
    await queue.idle();
  });

  it('turns away whom it cannot hold, and takes the next when there is room', async () => {
    const { queue, release } = held({ groupSize: 1, inFlight: 1, capacity: 1 });
    const first = [queue.submit(1), queue.submit(2)];
    await expect(queue.submit(3)).rejects.toMatchObject({ code: 'service.overloaded', retryAfterSeconds: 1 });
    release();
    await first[0];
    await new Promise(setImmediate);
    const last = queue.submit(4);
    release();
    await first[1];
    await new Promise(setImmediate);
    release();
    expect(await last).toBe(4);
  });

  it('lets each item fail alone', async () => {
    const queue = new GroupQueue<number, number>(async (group) => {
      return group.map((value) => (value === 2 ? { ok: false, error: new Error('two') } : { ok: true, value }));
    }, LIMITS);
    const settled = await Promise.allSettled([1, 2, 3].map((item) => queue.submit(item)));
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('tries each alone where the whole fails for no reason of all', async () => {
    const groups: (readonly number[])[] = [];
    const queue = new GroupQueue<number, number>(async (group) => {
      groups.push(group);
      if (group.includes(3)) throw new Error('a value that cannot be stored');
      return ok(group);
    }, LIMITS);
    const settled = await Promise.allSettled([1, 2, 3, 4].map((item) => queue.submit(item)));
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(groups).toEqual([[1], [2, 3, 4], [2], [3], [4]]);
  });

  it('tries nobody alone while the database is away', async () => {
    let tries = 0;
    const queue = new GroupQueue<number, number>(async () => {
      tries += 1;
      throw new DomainError('service.unavailable');
    }, LIMITS);
    const settled = await Promise.allSettled([1, 2, 3].map((item) => queue.submit(item)));
    expect(settled.every(({ status }) => status === 'rejected')).toBe(true);
    expect(tries).toBe(2);
  });
});
