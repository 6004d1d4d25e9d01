import { randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type AggregatedDecision, DecisionAggregator, type DecisionFacts } from '@outrider/admission';
import { decisionMade } from '@outrider/contracts';
import type { Logger } from 'pino';
import { ConnectionLimiter } from '../http/connection-limits.service.js';
import { Listeners } from '../http/listeners.service.js';
import { Nats } from '../nats/nats.client.js';
import { Metrics } from '../service/metrics.service.js';
import { LOGGER, RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { printable } from './printable.js';

const FLUSH_MS = 1000;
const AGGREGATE_MS = 10_000;
const MAX_SOURCES = 10_000;
const MAX_WAITING = 10_000;
const BATCH = 64;

interface Waiting {
  readonly id: string;
  readonly payload: string;
}

/** Reports each decision of admission to the decision log: the first deny of a (code, source) at once, the rest aggregated. */
@Injectable()
export class Decisions implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly aggregator = new DecisionAggregator({ intervalMs: AGGREGATE_MS, maxSources: MAX_SOURCES });
  private readonly contract;
  private readonly waiting: Waiting[] = [];
  private sending: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly made;
  private readonly counters = new Map<string, { inc(): void }>();
  private readonly dropped;

  constructor(
    private readonly nats: Nats,
    listeners: Listeners,
    limiter: ConnectionLimiter,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.contract = decisionMade(runtime.service);
    this.made = metrics.counter('outrider_decisions_total', 'Decisions of admission.', [
      'listener',
      'decision',
      'code',
    ]);
    this.dropped = metrics.counter('outrider_decisions_dropped_total', 'Decisions lost while NATS was away.');
    limiter.events.on('refused', ({ listener, remoteAddress, reason }) => {
      // A listener of a service's own is one of vehicles' edges.
      const name = listener === 'operator' || listener === 'http' ? listener : 'vehicle';
      this.record({
        decision: 'deny',
        code: 'tls.too_many_connections',
        listener: name,
        action: 'connection',
        remoteAddress,
        detail: reason === 'address' ? 'of this address' : 'of all addresses',
      });
    });
    listeners.events.on('tlsFailure', ({ listener, remoteAddress, reason }) =>
      this.record({
        decision: 'deny',
        code: 'tls.handshake_failed',
        listener,
        action: 'TLS handshake',
        remoteAddress,
        detail: reason,
      }),
    );
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.flush(), FLUSH_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    for (const decision of this.aggregator.drain(Date.now())) this.queue(decision);
    if (this.nats.connected) await this.send();
  }

  /** Never throws and never waits: a decision log that is away stops no request. */
  record(facts: DecisionFacts): void {
    this.counterOf(facts).inc();
    const first = this.aggregator.observe(facts, Date.now());
    if (!first) return;
    this.queue(first);
    void this.send();
  }

  /** prom-client makes a name of the labels each time; there are few of them. */
  private counterOf({ listener, decision, code }: DecisionFacts): { inc(): void } {
    const name = `${listener} ${decision} ${code}`;
    const known = this.counters.get(name);
    if (known) return known;
    const counter = this.made.labels(listener, decision, code);
    this.counters.set(name, counter);
    return counter;
  }

  private flush(): void {
    for (const decision of this.aggregator.flush(Date.now())) this.queue(decision);
    void this.send();
  }

  private queue({ sinceMs, atMs, ...decision }: AggregatedDecision): void {
    if (this.waiting.length >= MAX_WAITING) {
      this.dropped.inc(decision.count);
      return;
    }
    const { service, instance } = this.runtime;
    const payload = this.contract.payload.safeParse({
      ...shorten(decision),
      service,
      instance,
      since: new Date(sinceMs).toISOString(),
      at: new Date(atMs).toISOString(),
    });
    if (payload.success) this.waiting.push({ id: randomUUID(), payload: JSON.stringify(payload.data) });
    else this.logger.error({ err: payload.error, code: decision.code }, 'a decision out of contract');
  }

  private send(): Promise<void> {
    this.sending ??= this.sendAll().finally(() => {
      this.sending = undefined;
    });
    return this.sending;
  }

  private async sendAll(): Promise<void> {
    while (this.waiting.length > 0 && this.nats.connected) {
      const batch = this.waiting.slice(0, BATCH);
      const { subject } = this.contract;
      const sent = await Promise.allSettled(
        batch.map(({ id, payload }) => this.nats.publishKept(subject, payload, id)),
      );
      const failed = batch.filter((_, index) => sent[index]?.status === 'rejected');
      this.waiting.splice(0, batch.length, ...failed);
      if (failed.length > 0) return;
    }
  }
}

/** The contract's bounds. What a stranger sent may be longer; a decision is not lost over it. */
function shorten<D extends DecisionFacts>(decision: D): D {
  const { action, detail, subject, remoteAddress, policies, latencyMs } = decision;
  return {
    ...decision,
    action: printable(action, 128),
    detail: detail === undefined ? undefined : printable(detail, 500),
    subject: subject === undefined ? undefined : printable(subject, 128),
    remoteAddress: remoteAddress === undefined ? undefined : printable(remoteAddress, 64),
    policies: policies?.slice(0, 32).map((id) => printable(id, 128)),
    latencyMs: latencyMs === undefined ? undefined : Math.round(latencyMs * 1000) / 1000,
  };
}
