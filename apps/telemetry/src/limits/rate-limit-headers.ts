/** Writes what a device may still send: the fields of draft-ietf-httpapi-ratelimit-headers-10, counted in records. */
import { type Bucket, type Rate, untilFullMs } from './token-bucket.js';

/** One limit and where it stands. `waitMs`: of a refusal, so that `t` and `Retry-After` name the same time (section 4). */
export interface LimitState {
  readonly name: 'device' | 'fleet';
  readonly rate: Rate;
  readonly bucket: Bucket;
  readonly waitMs?: number;
}

export type RateLimitHeaders = {
  readonly 'ratelimit-policy': string;
  readonly ratelimit: string;
};

/** `q`: the burst; `w`: seconds in which an empty bucket fills; `r`: what is left; `t`: seconds until it is whole again. */
export function rateLimitHeaders(limits: readonly LimitState[]): RateLimitHeaders {
  return {
    'ratelimit-policy': limits
      .map(({ name, rate }) => `"${name}";q=${rate.burst};w=${Math.ceil(rate.burst / rate.perSecond)};qu="records"`)
      .join(', '),
    ratelimit: limits
      .map(({ name, rate, bucket, waitMs = untilFullMs(bucket, rate) }) => {
        return `"${name}";r=${Math.max(0, Math.floor(bucket.tokens))};t=${Math.ceil(waitMs / 1000)}`;
      })
      .join(', '),
  };
}
