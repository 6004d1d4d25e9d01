/** Decides whether a series of measurements is flat: how far it rises over the second half of its time, noise aside. */

export interface Sample {
  readonly atSeconds: number;
  readonly value: number;
}

/** `rise`: what the value grew by over the second half, by its trend, in the value's unit; `allowed`: how much is still called flat. */
export interface Trend {
  readonly median: number;
  readonly rise: number;
  readonly allowed: number;
  readonly flat: boolean;
}

/** Of the median, or of the floor where that is more: a collector that runs a little later is no leak. */
const ALLOWED_SHARE = 0.05;

/** @param floor in the value's unit: growth below it is noise for values of any size */
export function trendOf(samples: readonly Sample[], floor: number): Trend {
  const half = samples.slice(Math.floor(samples.length / 2));
  const values = half.map(({ value }) => value);
  const seconds = half.length > 1 ? half.at(-1)!.atSeconds - half[0]!.atSeconds : 0;
  const rise = slope(half) * seconds;
  const allowed = Math.max(floor, median(values) * ALLOWED_SHARE);
  return { median: median(values), rise, allowed, flat: rise <= allowed };
}

/** Theil and Sen's: the median of the slopes between any two points, which a few outliers do not move. Per second. */
function slope(samples: readonly Sample[]): number {
  const slopes: number[] = [];
  for (let i = 0; i < samples.length; i++) {
    for (let j = i + 1; j < samples.length; j++) {
      const [a, b] = [samples[i]!, samples[j]!];
      if (b.atSeconds > a.atSeconds) slopes.push((b.value - a.value) / (b.atSeconds - a.atSeconds));
    }
  }
  return median(slopes);
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
