import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { rateLimitHeaders } from './rate-limit-headers.js';
import { type Bucket, fullBucket, giveBack, type Rate, refill, take, untilFullMs } from './token-bucket.js';

const RATE: Rate = { perSecond: 10, burst: 100 };

function drain(bucket: Bucket, count: number, nowMs: number): Bucket {
  const taken = take(bucket, RATE, count, nowMs);
  if (!taken.taken) throw new Error('refused');
  return taken.bucket;
}

describe('a token bucket', () => {
  it('lets a burst through, then its rate', () => {
    const empty = drain(fullBucket(RATE, 0), 100, 0);
    expect(take(empty, RATE, 1, 0)).toMatchObject({ taken: false, waitMs: 100 });
    expect(take(empty, RATE, 1, 99)).toMatchObject({ taken: false, waitMs: expect.closeTo(1) });
    expect(take(empty, RATE, 1, 100)).toMatchObject({ taken: true, bucket: { tokens: 0 } });
    expect(take(empty, RATE, 30, 1000)).toMatchObject({ taken: false, waitMs: 2000 });
  });

  it('takes nothing where it refuses, and holds no more than a burst', () => {
    const empty = drain(fullBucket(RATE, 0), 100, 0);
    expect(take(empty, RATE, 50, 1000).bucket).toEqual({ tokens: 10, atMs: 1000 });
    expect(refill(empty, RATE, 1e9)).toEqual({ tokens: 100, atMs: 1e9 });
    expect(giveBack(drain(fullBucket(RATE, 0), 5, 0), RATE, 7)).toEqual({ tokens: 100, atMs: 0 });
  });

  it('fills nothing when the clock goes back', () => {
    const empty = drain(fullBucket(RATE, 5000), 100, 5000);
    expect(refill(empty, RATE, 0)).toEqual({ tokens: 0, atMs: 5000 });
  });

  it('lets what is larger than a burst through when it is full, and owes the rest', () => {
    const owing = drain(fullBucket(RATE, 0), 250, 0);
    expect(owing.tokens).toBe(-150);
    expect(take(owing, RATE, 1, 15_000)).toMatchObject({ taken: false, waitMs: 100 });
    expect(untilFullMs(owing, RATE)).toBe(25_000);
  });

  it('never lets more through than a burst and its rate over the time, and says truly when the same would pass', () => {
    const step = fc.record({ afterMs: fc.integer({ min: 0, max: 3000 }), count: fc.integer({ min: 1, max: 100 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        let bucket = fullBucket(RATE, 0);
        let nowMs = 0;
        let passed = 0;
        for (const { afterMs, count } of steps) {
          nowMs += afterMs;
          const taken = take(bucket, RATE, count, nowMs);
          bucket = taken.bucket;
          if (taken.taken) passed += count;
          else {
            expect(take(bucket, RATE, count, nowMs + taken.waitMs + 1e-6).taken).toBe(true);
            expect(take(bucket, RATE, count, nowMs + taken.waitMs * 0.999 - 1e-3).taken).toBe(false);
          }
          expect(passed).toBeLessThanOrEqual(RATE.burst + (nowMs / 1000) * RATE.perSecond + 1e-6);
        }
      }),
    );
  });
});

describe('the RateLimit fields', () => {
  it('say the quota, the window, what is left and until when', () => {
    const bucket = drain(fullBucket(RATE, 0), 41, 0);
    expect(rateLimitHeaders([{ name: 'device', rate: RATE, bucket }], 'records')).toEqual({
      'ratelimit-policy': '"device";q=100;w=10;qu="records"',
      ratelimit: '"device";r=59;t=5',
    });
    expect(rateLimitHeaders([{ name: 'operator', rate: RATE, bucket }], 'requests')['ratelimit-policy']).toBe(
      '"operator";q=100;w=10',
    );
  });

  it('name the time of Retry-After in a refusal, and never less than nothing', () => {
    const bucket = drain(fullBucket(RATE, 0), 250, 0);
    expect(rateLimitHeaders([{ name: 'fleet', rate: RATE, bucket, waitMs: 15_100 }], 'records').ratelimit).toBe(
      '"fleet";r=0;t=16',
    );
  });
});
