/** Writes what a caller may still send: the fields of draft-ietf-httpapi-ratelimit-headers-10. */
import { type Bucket, type Rate, untilFullMs } from './token-bucket.js';

/** One limit and where it stands. `waitMs`: of a refusal, so that `t` and `Retry-After` name the same time (section 4). */
export interface LimitState<N extends string = string> {
  /** Letters and `-` alone: it is quoted as it is. */
  readonly name: N;
  readonly rate: Rate;
  readonly bucket: Bucket;
  readonly waitMs?: number;
}

export type RateLimitHeaders = {
  readonly 'ratelimit-policy': string;
  readonly ratelimit: string;
};

/** What is counted; requests are what the draft takes for granted, and are not named. */
const UNITS = { requests: '', records: ';qu="records"' };

/** `q`: the burst; `w`: seconds in which an empty bucket fills; `r`: what is left; `t`: seconds until it is whole again. */
export function rateLimitHeaders(limits: readonly LimitState[], unit: keyof typeof UNITS): RateLimitHeaders {
  return {
    'ratelimit-policy': limits
      .map(({ name, rate }) => `"${name}";q=${rate.burst};w=${Math.ceil(rate.burst / rate.perSecond)}${UNITS[unit]}`)
      .join(', '),
    ratelimit: limits
      .map(({ name, rate, bucket, waitMs = untilFullMs(bucket, rate) }) => {
        return `"${name}";r=${Math.max(0, Math.floor(bucket.tokens))};t=${Math.ceil(waitMs / 1000)}`;
      })
      .join(', '),
  };
}
