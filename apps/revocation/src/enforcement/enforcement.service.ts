import type { KvWatchEntry } from '@nats-io/kv';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { denylistEnforced, type Enforcement, INSTANCES_BUCKET } from '@outrider/contracts';
import { InstanceId } from '@outrider/ids';
import { Nats, Subscriptions } from '@outrider/platform/nats';
import { CONFIG, LOGGER, Metrics } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Config } from '../config.js';
import { InstanceAcks, type Standing } from './instance-acks.js';

const RETRY_MS = 1000;
const SWEEP_MS = 10_000;
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** By then it has taken too long, however long it takes. */
const MEASURED_MS = 10_000;
const Lease = z.object({ sequence: z.int().nonnegative() });

/** Hears every instance's leases and acknowledgements, and says who enforces what. */
@Injectable()
export class EnforcementService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly acks: InstanceAcks;
  private readonly listeners = new Set<() => void>();
  private watch: { stop(): void } | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private measuring = false;
  private readonly applied;
  private readonly enforced;
  private readonly late;

  constructor(
    private readonly nats: Nats,
    private readonly subscriptions: Subscriptions,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.applied = metrics.histogram(
      'outrider_revocation_applied_seconds',
      'From the commit of a change to the word of an instance that it enforces it; one change at a time is followed.',
      SECONDS,
    );
    this.enforced = metrics.histogram(
      'outrider_revocation_enforced_seconds',
      'From the commit of a change to the word of the last instance that is alive; one change at a time is followed.',
      SECONDS,
    );
    this.late = metrics.counter(
      'outrider_revocation_late_total',
      `Changes that an instance with a lease did not enforce within ${MEASURED_MS / 1000} s.`,
    );
    this.acks = new InstanceAcks(INSTANCES_BUCKET.ttlSeconds * 1000, config.revocation.staleMs);
  }

  onApplicationBootstrap(): void {
    this.subscriptions.hear(denylistEnforced, ({ instance, sequence, urgent }) => {
      this.acks.acknowledged(instance, sequence, performance.now(), urgent);
      this.changed();
    });
    void this.watchLeases();
    this.timer = setInterval(() => this.acks.sweep(performance.now()), SWEEP_MS).unref();
  }

  onApplicationShutdown(): void {
    this.stopped = true;
    clearInterval(this.timer);
    this.watch?.stop();
    this.changed();
  }

  /**
   * Waits until every instance with a lease enforces `sequence`, at most `waitMs`.
   * `bulk`: as it was claimed.
   * @param sinceMs monotonic, the moment of the commit. `failsClosedAt` counts from now: an instance that misses a change trusts no later heartbeat.
   */
  async of(
    sequence: number,
    sinceMs: number,
    waitMs: number,
    { bulk = false }: { readonly bulk?: boolean } = {},
  ): Promise<Enforcement> {
    // When a bulk change was committed nobody says here.
    if (!bulk) void this.measure(sequence, sinceMs);
    const { enforcedBy, pending } = await this.standing(sequence, sinceMs, waitMs, bulk);
    const failsClosedAt = new Date(Date.now() + this.config.revocation.staleMs).toISOString();
    return { sequence, enforcedBy, pending: pending.map(({ instance }) => ({ instance, failsClosedAt })) };
  }

  /** As soon as nobody alive is waited for any more, after `waitMs` at the latest. */
  private async standing(sequence: number, sinceMs: number, waitMs: number, bulk: boolean): Promise<Standing> {
    const endMs = sinceMs + waitMs;
    for (;;) {
      const nowMs = performance.now();
      const standing = this.acks.standing(sequence, sinceMs, nowMs, bulk);
      if (nowMs >= endMs || this.stopped || !standing.pending.some(({ alive }) => alive)) return standing;
      await this.nextChange(endMs - nowMs);
    }
  }

  private async measure(sequence: number, sinceMs: number): Promise<void> {
    if (this.measuring) return;
    this.measuring = true;
    const { enforcedBy, pending } = await this.standing(sequence, sinceMs, MEASURED_MS, false);
    this.measuring = false;
    const slowestMs = Math.max(0, ...enforcedBy.map(({ ms }) => ms));
    // Nothing was changed: everybody had enforced it before.
    if (this.stopped || slowestMs === 0) return;
    for (const { ms } of enforcedBy) this.applied.observe(ms / 1000);
    if (pending.some(({ alive }) => alive)) this.late.inc();
    else this.enforced.observe(slowestMs / 1000);
  }

  private nextChange(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.listeners.add(done);
    });
  }

  private changed(): void {
    for (const listener of [...this.listeners]) listener();
  }

  private async watchLeases(): Promise<void> {
    while (!this.stopped) {
      try {
        const leases = await (await this.nats.bucket(INSTANCES_BUCKET.name)).watch();
        this.watch = leases;
        for await (const record of leases) {
          this.takeLease(record);
          this.changed();
        }
      } catch (error) {
        this.logger.warn({ err: error }, 'the leases are watched again');
      }
      if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** A lease says too what its instance enforces: an acknowledgement that was lost comes with it. */
  private takeLease({ key, operation, value }: KvWatchEntry): void {
    const instance = InstanceId.safeParse(key.split('.').at(-1)).data;
    if (!instance) return;
    const nowMs = performance.now();
    if (operation !== 'PUT') {
      this.acks.gone(instance);
      return;
    }
    this.acks.leased(instance, nowMs);
    const lease = Lease.safeParse(parseJson(value)).data;
    if (lease) this.acks.acknowledged(instance, lease.sequence, nowMs);
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
