import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import {
  type Bucket,
  fullBucket,
  giveBack,
  type LimitState,
  type Rate,
  type RateLimitHeaders,
  rateLimitHeaders,
  refill,
  take,
} from '@outrider/platform/limits';
import { CONFIG, Metrics } from '@outrider/platform/service';
import { LRUCache } from 'lru-cache';
import type { Config } from '../config.js';

/** Buckets remembered. One that is forgotten is full again: among more devices than this it has had the time to fill. */
const REMEMBERED = 200_000;

type State = LimitState<'device' | 'fleet'>;

/** How much one device, and the whole fleet, may send to this instance. */
@Injectable()
export class Limits {
  private readonly devices = new LRUCache<DeviceId, Bucket>({ max: REMEMBERED });
  private readonly rates: { readonly device: Rate; readonly fleet: Rate };
  private fleet: Bucket;
  private readonly refused;

  constructor(@Inject(CONFIG) { limits }: Config, metrics: Metrics) {
    this.rates = limits;
    this.fleet = fullBucket(limits.fleet, performance.now());
    this.refused = metrics.counter('outrider_telemetry_limited_records_total', 'Records refused by a rate limit.', [
      'limit',
    ]);
  }

  /** @throws DomainError `request.too_many` when the device, or all devices together, have sent too much */
  take(deviceId: DeviceId, records: number): void {
    const nowMs = performance.now();
    const { device, fleet } = this.rates;
    const own = take(this.devices.get(deviceId) ?? fullBucket(device, nowMs), device, records, nowMs);
    this.devices.set(deviceId, own.bucket);
    if (!own.taken)
      throw this.refuse({ name: 'device', rate: device, bucket: own.bucket, waitMs: own.waitMs }, records);
    const all = take(this.fleet, fleet, records, nowMs);
    this.fleet = all.bucket;
    if (all.taken) return;
    this.devices.set(deviceId, giveBack(own.bucket, device, records));
    throw this.refuse({ name: 'fleet', rate: fleet, bucket: all.bucket, waitMs: all.waitMs }, records);
  }

  /** For every answer. `error`: what it answers, so that a refusal by a limit names the time of its `Retry-After`. */
  headers(deviceId: DeviceId, error?: unknown): RateLimitHeaders {
    const state = error instanceof DomainError ? refusals.get(error) : undefined;
    if (state) return rateLimitHeaders([state], 'records');
    const rate = this.rates.device;
    const nowMs = performance.now();
    const bucket = refill(this.devices.get(deviceId) ?? fullBucket(rate, nowMs), rate, nowMs);
    return rateLimitHeaders([{ name: 'device', rate, bucket }], 'records');
  }

  private refuse(state: State, records: number): DomainError {
    this.refused.inc({ limit: state.name }, records);
    const { perSecond, burst } = state.rate;
    const error = new DomainError('request.too_many', {
      detail: `${state.name}: ${perSecond} records a second, ${burst} at once`,
      retryAfterSeconds: Math.max(1, Math.ceil((state.waitMs ?? 0) / 1000)),
    });
    refusals.set(error, state);
    return error;
  }
}

const refusals = new WeakMap<DomainError, State>();
