import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { clip, contains, lowest, normalize, size, subtract } from './ranges.js';

const range = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 9 }))
  .map(([from, more]): [number, number] => [from, from + more]);
const ranges = fc.array(range, { maxLength: 8 });
const numbers = (some: readonly (readonly [number, number])[]) =>
  new Set(some.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, index) => from + index)));

describe('ranges do as sets of numbers do', () => {
  it('joined', () => {
    fc.assert(
      fc.property(ranges, (some) => {
        const joined = normalize(some);
        expect(numbers(joined)).toEqual(new Set([...numbers(some)].sort((a, b) => a - b)));
        joined.forEach(([from], index) => {
          if (index > 0) expect(from).toBeGreaterThan(joined[index - 1]![1] + 1);
        });
        expect(size(joined)).toBe(numbers(some).size);
      }),
    );
  });

  it('subtracted and clipped', () => {
    fc.assert(
      fc.property(ranges, ranges, fc.nat(60), fc.nat(20), (some, others, from, more) => {
        const left = [...numbers(some)].filter((n) => !numbers(others).has(n)).sort((a, b) => a - b);
        expect([...numbers(subtract(some, others))]).toEqual(left);
        const inside = [...numbers(some)].filter((n) => n >= from && n <= from + more).sort((a, b) => a - b);
        expect([...numbers(clip(some, from, from + more))]).toEqual(inside);
        for (const n of left) expect(contains(some, n)).toBe(true);
      }),
    );
  });

  it('cut to the lowest so many', () => {
    fc.assert(
      fc.property(ranges, fc.nat(30), fc.nat(5), (some, maxNumbers, maxRanges) => {
        const cut = lowest(some, maxNumbers, maxRanges);
        const all = [...numbers(normalize(some))];
        const kept = [...numbers(cut)];
        expect(kept).toEqual(all.slice(0, kept.length));
        expect(kept.length).toBeLessThanOrEqual(maxNumbers);
        expect(cut.length).toBeLessThanOrEqual(maxRanges);
      }),
    );
  });
});
