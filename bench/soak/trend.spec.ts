import { describe, expect, it } from '@jest/globals';
import { type Sample, trendOf } from './trend.js';

/** A sample a second, `count` of them. */
const series = (count: number, value: (second: number) => number): Sample[] =>
  Array.from({ length: count }, (_, atSeconds) => ({ atSeconds, value: value(atSeconds) }));

describe('a series', () => {
  it('that stays where it is, is flat; one that falls, too', () => {
    expect(
      trendOf(
        series(60, () => 100),
        1,
      ),
    ).toEqual({ median: 100, rise: 0, allowed: 5, flat: true });
    expect(
      trendOf(
        series(60, (second) => 100 - second),
        1,
      ),
    ).toMatchObject({ rise: -29, flat: true });
  });

  it('that rises by more than a twentieth over its second half is not', () => {
    expect(
      trendOf(
        series(60, (second) => 1000 + second),
        1,
      ),
    ).toMatchObject({ rise: 29, flat: true });
    expect(
      trendOf(
        series(60, (second) => 1000 + 2 * second),
        1,
      ),
    ).toMatchObject({ rise: 58, flat: false });
  });

  it('is judged by its second half: what is built up at the beginning is no leak', () => {
    const built = series(60, (second) => (second < 30 ? second * 100 : 3000));
    expect(trendOf(built, 1)).toMatchObject({ median: 3000, rise: 0, flat: true });
    const leaks = series(60, (second) => (second < 30 ? 3000 : 3000 + (second - 30) * 20));
    expect(trendOf(leaks, 1)).toMatchObject({ rise: 580, flat: false });
  });

  it('is told by its trend, not by a few outliers', () => {
    const spiky = series(60, (second) => (second % 10 === 9 ? 5000 : 1000));
    expect(trendOf(spiky, 1)).toMatchObject({ median: 1000, rise: 0, flat: true });
    const noisy = series(60, (second) => 1000 + 4 * second + (second % 2 === 0 ? 10 : -10));
    expect(trendOf(noisy, 1).flat).toBe(false);
  });

  it('of small values may rise by the floor', () => {
    const small = series(60, (second) => 1 + second / 30);
    expect(trendOf(small, 1)).toMatchObject({ allowed: 1, flat: true });
    expect(trendOf(small, 0.5)).toMatchObject({ allowed: 0.5, flat: false });
  });

  it('of one sample, or of samples at one time, has no rise', () => {
    expect(trendOf([{ atSeconds: 0, value: 7 }], 1)).toMatchObject({ median: 7, rise: 0, flat: true });
    const together = [1, 9, 5].map((value) => ({ atSeconds: 3, value }));
    expect(trendOf(together, 1)).toMatchObject({ rise: 0, flat: true });
    expect(trendOf([], 1)).toEqual({ median: 0, rise: 0, allowed: 1, flat: true });
  });
});
