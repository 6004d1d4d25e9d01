import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type Bucket, fullBucket, type RateLimitHeaders, rateLimitHeaders, take } from '../limits/index.js';
import { OPERATOR_RATE } from '../service/config.js';
import { Metrics } from '../service/metrics.service.js';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';

/** Accounts remembered: more than a fleet has operators. One that is forgotten has a full bucket again. */
const REMEMBERED = 10_000;

/** `headers`: for every answer. `refusal`: the request is one too many. */
export interface Counted {
  readonly headers: RateLimitHeaders;
  readonly refusal?: { readonly code: 'request.too_many'; readonly reason: string; readonly retryAfterSeconds: number };
}

/** How much one operator's account may ask of this instance. Only who is admitted has an account, so nobody uses up another's. */
@Injectable()
export class OperatorRates {
  private readonly accounts = new LRUCache<string, Bucket>({ max: REMEMBERED });
  private readonly rate;
  private readonly refused;

  constructor(@Inject(RUNTIME) { config }: Runtime, metrics: Metrics) {
    this.rate = config.listeners.operator?.rateLimit ?? OPERATOR_RATE;
    this.refused = metrics.counter(
      'outrider_operator_limited_requests_total',
      'Requests of operators that were refused because their account had asked too much.',
    );
  }

  /** `subject`: `op:<uuid>`. */
  take(subject: string): Counted {
    const { rate } = this;
    const nowMs = performance.now();
    const { bucket, ...took } = take(this.accounts.get(subject) ?? fullBucket(rate, nowMs), rate, 1, nowMs);
    this.accounts.set(subject, bucket);
    const state = { name: 'operator', rate, bucket };
    if (took.taken) return { headers: rateLimitHeaders([state], 'requests') };
    this.refused.inc();
    const reason = `${rate.perSecond} requests a second, ${rate.burst} at once`;
    const retryAfterSeconds = Math.max(1, Math.ceil(took.waitMs / 1000));
    const headers = rateLimitHeaders([{ ...state, waitMs: retryAfterSeconds * 1000 }], 'requests');
    return { headers, refusal: { code: 'request.too_many', reason, retryAfterSeconds } };
  }
}
