import type { KvWatchEntry } from '@nats-io/kv';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { denylistEnforced, type Enforcement, INSTANCES_BUCKET } from '@outrider/contracts';
import { InstanceId } from '@outrider/ids';
import { Nats, Subscriptions } from '@outrider/platform/nats';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Config } from '../config.js';
import { InstanceAcks } from './instance-acks.js';

const RETRY_MS = 1000;
const SWEEP_MS = 10_000;
const Lease = z.object({ sequence: z.int().nonnegative() });

/** Hears every instance's leases and acknowledgements, and says who enforces what. */
@Injectable()
export class EnforcementService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly acks: InstanceAcks;
  private readonly listeners = new Set<() => void>();
  private watch: { stop(): void } | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly nats: Nats,
    private readonly subscriptions: Subscriptions,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
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
    const endMs = sinceMs + waitMs;
    for (;;) {
      const nowMs = performance.now();
      const { enforcedBy, pending } = this.acks.standing(sequence, sinceMs, nowMs, bulk);
      const waited = nowMs >= endMs || this.stopped || !pending.some(({ alive }) => alive);
      if (waited) {
        const failsClosedAt = new Date(Date.now() + this.config.revocation.staleMs).toISOString();
        return { sequence, enforcedBy, pending: pending.map(({ instance }) => ({ instance, failsClosedAt })) };
      }
      await this.nextChange(endMs - nowMs);
    }
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
