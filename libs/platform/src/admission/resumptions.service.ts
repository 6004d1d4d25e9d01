import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Listeners } from '../http/listeners.service.js';
import { Metrics } from '../service/metrics.service.js';
import { Connections } from './connections.service.js';

/** At once after a revocation that comes alone; of many, once in so long. */
const AT_MOST_EVERY_MS = 10_000;

/**
 * No TLS session outlives a revocation: what takes vehicles out of service makes every ticket worthless, and the next handshake of each is
 * a whole one. Until then, and for all that, admission judges each request by the certificate that the session was begun with.
 */
@Injectable()
export class Resumptions implements OnModuleInit, OnApplicationShutdown {
  private renewedMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private readonly renewed;

  constructor(
    private readonly listeners: Listeners,
    private readonly connections: Connections,
    metrics: Metrics,
  ) {
    this.renewed = metrics.counter(
      'outrider_ticket_keys_renewed_total',
      'Times that revocations made all TLS session tickets worthless.',
    );
  }

  onModuleInit(): void {
    this.connections.events.on('denied', () => this.denied());
  }

  onApplicationShutdown(): void {
    clearTimeout(this.timer);
  }

  private denied(): void {
    if (this.timer) return;
    const waitMs = Math.max(0, this.renewedMs + AT_MOST_EVERY_MS - performance.now());
    if (waitMs === 0) this.renew();
    else this.timer = setTimeout(() => this.renew(), waitMs).unref();
  }

  private renew(): void {
    this.timer = undefined;
    this.renewedMs = performance.now();
    this.listeners.forgetSessions();
    this.renewed.inc();
  }
}
