import { describe, expect, it, test } from '@jest/globals';
import { Epoch, StreamName } from '@outrider/ids';
import { MAX_OPEN_AUTOMATIC, MAX_ORDER_NUMBERS } from './fetch-order.js';
import { type Known, planOrder, type Want, wantsOfLate, watchGap } from './when-to-order.js';

const stream = StreamName.parse('main');
const epoch = Epoch.parse(1);
const want = (...ranges: [number, number][]): Want => ({ stream, epoch, ranges, reason: 'gap' });
const known = (changes: Partial<Known> = {}): Known => ({
  openAutomatic: 0,
  epoch: 1,
  highest: 1000,
  settled: [],
  ...changes,
});

describe('planOrder', () => {
  test.each<[string, Want, Known, [number, number][] | undefined]>([
    [
      'asks for what is wanted',
      want([5, 9], [20, 20]),
      known(),
      [
        [5, 9],
        [20, 20],
      ],
    ],
    ['never for what the live window may still take', want([990, 1010]), known(), [[990, 1000]]],
    ['not at all where all of it lies above', want([1001, 1010]), known(), undefined],
    ['for anything of an epoch that is over', want([5, 2000]), known({ epoch: 2 }), [[5, 2000]]],
    ['for nothing of an epoch to come', want([5, 9]), known({ epoch: 0 }), undefined],
    [
      'not twice',
      want([1, 100]),
      known({ settled: [[10, 90]] }),
      [
        [1, 9],
        [91, 100],
      ],
    ],
    [
      'not where all was asked for',
      want([10, 20]),
      known({
        settled: [
          [1, 15],
          [16, 30],
        ],
      }),
      undefined,
    ],
    ['not while too many are open', want([1, 2]), known({ openAutomatic: MAX_OPEN_AUTOMATIC }), undefined],
  ])('%s', (_name, wanted, state, ranges) => {
    expect(planOrder(wanted, state)?.ranges).toEqual(ranges);
  });

  it('asks for as much as one order may, the oldest first', () => {
    const plan = planOrder(want([1, 900_000]), known({ highest: 1_000_000 }));
    expect(plan?.ranges).toEqual([[1, MAX_ORDER_NUMBERS]]);
  });
});

it('joins what came too late by stream and epoch', () => {
  const late = [3, 1, 2, 9].map((seq) => ({ stream, epoch, seq }));
  expect(wantsOfLate([...late, { stream, epoch: Epoch.parse(0), seq: 7 }])).toEqual([
    {
      stream,
      epoch,
      ranges: [
        [1, 3],
        [9, 9],
      ],
      reason: 'too_late',
    },
    { stream, epoch: 0, ranges: [[7, 7]], reason: 'too_late' },
  ]);
});

describe('watchGap', () => {
  it('waits as long as the live path may bring it, and then asks once', () => {
    const first = watchGap(undefined, [[5, 6]], 100, 1000);
    expect(first).toEqual({ watched: { lowest: 5, sinceMs: 1000 }, due: false });
    expect(watchGap(first.watched, [[5, 5]], 100, 1099).due).toBe(false);
    const due = watchGap(first.watched, [[5, 5]], 100, 1100);
    expect(due).toEqual({ watched: { lowest: 5, sinceMs: 1100 }, due: true });
  });

  it('begins again with another gap, and ends with the last', () => {
    expect(watchGap({ lowest: 5, sinceMs: 0 }, [[7, 7]], 100, 500)).toEqual({
      watched: { lowest: 7, sinceMs: 500 },
      due: false,
    });
    expect(watchGap({ lowest: 5, sinceMs: 0 }, [], 100, 500)).toEqual({ watched: undefined, due: false });
  });
});
