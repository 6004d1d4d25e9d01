import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { takeOne } from './rate.js';

/** How many of `times` (milliseconds, ascending) are taken. */
function taken(times: readonly number[], rate: { perSecond: number; burst: number }): number {
  let paidAtMs: number | undefined;
  let count = 0;
  for (const nowMs of times) {
    const verdict = takeOne(paidAtMs, rate, nowMs);
    if (!verdict.taken) continue;
    paidAtMs = verdict.paidAtMs;
    count += 1;
  }
  return count;
}

it('takes a burst at once, then as many as the rate has', () => {
  const rate = { perSecond: 10, burst: 5 };
  expect(taken(Array(20).fill(0), rate)).toBe(5);
  expect(taken([...Array(20).fill(0), ...Array(20).fill(1000)], rate)).toBe(10);
  expect(takeOne(takeOneTaken(rate, 5), rate, 0)).toEqual({ taken: false, waitMs: 100 });
});

it('never takes more than burst and rate together', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20 }), (gaps, perSecond, burst) => {
      let at = 0;
      const times = gaps.map((gap) => (at += gap));
      expect(taken(times, { perSecond, burst })).toBeLessThanOrEqual(burst + Math.ceil((at / 1000) * perSecond));
    }),
  );
});

function takeOneTaken(rate: { perSecond: number; burst: number }, times: number): number {
  let paidAtMs = 0;
  for (let n = 0; n < times; n += 1) {
    const verdict = takeOne(paidAtMs, rate, 0);
    if (verdict.taken) paidAtMs = verdict.paidAtMs;
  }
  return paidAtMs;
}
