import { describe, expect, it, test } from '@jest/globals';
import type { FetchOrder } from './fetch-order.js';
import { settleRecord, verdictRuns } from './settle-records.js';
import { deliverable } from './taken-in.js';

const order = (epoch: number) => ({ ranges: [[5, 20]], epoch }) as unknown as Pick<FetchOrder, 'ranges' | 'epoch'>;

describe('an order brings', () => {
  test.each([
    ['of the present epoch what the window has passed', 1, { epoch: 1, highest: 12 }, [[5, 12]]],
    ['of an earlier epoch everything', 0, { epoch: 1, highest: 3 }, [[5, 20]]],
    ['of a later epoch nothing', 2, { epoch: 1, highest: 30 }, []],
  ])('%s', (_name, epoch, present, expected) => {
    expect(deliverable(order(epoch), present)).toEqual(expected);
  });
});

it('settles each record by what is stored under its number', () => {
  const stored = new Map([[7, 'same']]);
  const verdict = (seq: number, canonicalSha256: string) =>
    settleRecord({ seq, canonicalSha256 } as Parameters<typeof settleRecord>[0], [[5, 9]], stored);
  expect(verdict(6, 'x')).toBe('accepted');
  expect(verdict(7, 'same')).toBe('duplicate');
  expect(verdict(7, 'other')).toBe('replayed');
  expect(verdict(10, 'x')).toBe('outside');
});

it('tells neighbours as one', () => {
  const settled = [
    { seq: 1, verdict: 'accepted' },
    { seq: 2, verdict: 'accepted' },
    { seq: 3, verdict: 'duplicate' },
    { seq: 5, verdict: 'duplicate' },
  ] as const;
  expect(verdictRuns(settled)).toEqual([
    { from: 1, to: 2, verdict: 'accepted' },
    { from: 3, to: 3, verdict: 'duplicate' },
    { from: 5, to: 5, verdict: 'duplicate' },
  ]);
});
