import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, Metrics } from '@outrider/platform/service';
import { LRUCache } from 'lru-cache';
import type { Config } from '../config.js';
import { type PaidAtMs, takeOne } from './rate.js';

/** A source that is forgotten starts anew: among more of them than this it has had the time to. */
const REMEMBERED = 200_000;

export type LimitName = 'device' | 'manufacturer' | 'network';

/** How much one vehicle, one manufacturer's vehicles and one network may ask of this instance through edges. */
@Injectable()
export class EdgeLimits {
  private readonly paid: Readonly<Record<LimitName, LRUCache<string, PaidAtMs>>> = {
    device: new LRUCache({ max: REMEMBERED }),
    manufacturer: new LRUCache({ max: 10_000 }),
    network: new LRUCache({ max: REMEMBERED }),
  };
  private readonly rates;
  private readonly refused;

  constructor(@Inject(CONFIG) { authorization }: Config, metrics: Metrics) {
    this.rates = authorization?.limits;
    this.refused = metrics.counter('outrider_edge_limited_total', 'Questions of edges refused by a rate limit.', [
      'limit',
    ]);
  }

  /** Undefined: it may; otherwise seconds to wait. */
  take(limit: LimitName, source: string): number | undefined {
    const rate = this.rates?.[limit];
    if (!rate) return undefined;
    const paid = this.paid[limit];
    const taken = takeOne(paid.get(source), rate, performance.now());
    if (taken.taken) {
      paid.set(source, taken.paidAtMs);
      return undefined;
    }
    this.refused.inc({ limit });
    return Math.max(1, Math.ceil(taken.waitMs / 1000));
  }
}
