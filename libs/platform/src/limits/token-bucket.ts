/** Decides whether so much may come now: a bucket that fills at a steady rate and holds a burst. */

export interface Rate {
  readonly perSecond: number;
  /** What the bucket holds when it is full. */
  readonly burst: number;
}

/** `atMs`: of a clock that never goes back. `tokens` below 0 is owed. */
export interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** `waitMs`: until the same would be taken, if nothing else is meanwhile. */
export type Taken =
  | { readonly taken: true; readonly bucket: Bucket }
  | { readonly taken: false; readonly bucket: Bucket; readonly waitMs: number };

export function fullBucket({ burst }: Rate, nowMs: number): Bucket {
  return { tokens: burst, atMs: nowMs };
}

/** A request for more than the burst is let through a full bucket, which then owes the rest: else it could never pass. */
export function take(before: Bucket, rate: Rate, count: number, nowMs: number): Taken {
  const bucket = refill(before, rate, nowMs);
  const needed = Math.min(count, rate.burst);
  if (bucket.tokens >= needed) return { taken: true, bucket: { ...bucket, tokens: bucket.tokens - count } };
  return { taken: false, bucket, waitMs: ((needed - bucket.tokens) / rate.perSecond) * 1000 };
}

/** Gives back what was taken for nothing. */
export function giveBack(bucket: Bucket, { burst }: Rate, count: number): Bucket {
  return { ...bucket, tokens: Math.min(burst, bucket.tokens + count) };
}

export function refill({ tokens, atMs }: Bucket, { perSecond, burst }: Rate, nowMs: number): Bucket {
  const elapsedMs = Math.max(0, nowMs - atMs);
  return { tokens: Math.min(burst, tokens + (elapsedMs / 1000) * perSecond), atMs: Math.max(atMs, nowMs) };
}

/** Milliseconds until the bucket is full, if nothing is taken. */
export function untilFullMs({ tokens }: Bucket, { perSecond, burst }: Rate): number {
  return ((burst - tokens) / perSecond) * 1000;
}
