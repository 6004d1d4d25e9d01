import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { crlSign } from '@outrider/contracts';
import { Nats, ServiceIdentity } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER, Metrics } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { type CrlIssuer, crlSignRequest } from './crl.js';
import { Crls } from './crl.repository.js';
import { CrlIssuers } from './crl-issuers.service.js';

const TICK_MS = 1000;
const BATCH = 64;
const SIGN_TIMEOUT_MS = 5000;

/** Has fleet-ca sign the lists: on a cadence, and at once where a key is compromised. Nothing waits for it. */
@Injectable()
export class CrlPublisher implements OnApplicationBootstrap, OnApplicationShutdown {
  /** By `<prefix><shard>`, so that none is waited for twice. */
  private readonly soon = new Map<string, { readonly issuer: CrlIssuer; readonly shard: number }>();
  private running: Promise<void> | undefined;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly published;

  constructor(
    private readonly database: Database,
    private readonly crls: Crls,
    private readonly issuers: CrlIssuers,
    private readonly nats: Nats,
    private readonly identity: ServiceIdentity,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.published = metrics.counter('outrider_crls_published_total', 'Certificate revocation lists published.');
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.run(), TICK_MS);
    this.run();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.running;
  }

  publishSoon(lists: readonly { readonly issuerKeyId: string; readonly shard: number }[]): void {
    for (const { issuerKeyId, shard } of lists) {
      const issuer = this.issuers.current().find((each) => each.issuerKeyId === issuerKeyId);
      if (issuer) this.soon.set(`${issuer.prefix}${shard}`, { issuer, shard });
    }
    this.run();
  }

  private run(): void {
    if (this.stopped) return;
    this.running ??= this.publishDue()
      .catch((error: unknown) => this.logger.warn({ err: error }, 'the CRLs wait: PostgreSQL or fleet-ca is away'))
      .finally(() => {
        this.running = undefined;
      });
  }

  private async publishDue(): Promise<void> {
    const { shardCount, intervalSeconds } = this.config.crl;
    const issuers = this.issuers.current();
    const due = await this.crls.due(issuers, shardCount, new Date(Date.now() - intervalSeconds * 1000), BATCH);
    for (const { prefix, shard } of due) {
      const issuer = issuers.find((each) => each.prefix === prefix);
      if (issuer) this.soon.set(`${prefix}${shard}`, { issuer, shard });
    }
    for (const [name, { issuer, shard }] of this.soon) {
      if (this.stopped) return;
      // Out first: one that is asked for again meanwhile is published again.
      this.soon.delete(name);
      await this.publish(issuer, shard, new Date());
    }
  }

  private async publish(issuer: CrlIssuer, shard: number, now: Date): Promise<void> {
    const list = { prefix: issuer.prefix, shard };
    const { baseUrl, validitySeconds } = this.config.crl;
    await this.database.transaction(async (tx) => {
      await this.crls.lock(tx, list);
      const entries = await this.crls.entries(
        tx,
        issuer.issuerKeyId,
        shard,
        new Date(now.getTime() - validitySeconds * 1000),
      );
      const number = await this.crls.takeNumber(list, now);
      const request = crlSignRequest({ issuer, baseUrl, shard, validitySeconds }, number, entries, now);
      const signed = this.identity.signRequest(request);
      const { crl } = await this.nats.request(crlSign, { request: signed }, { timeoutMs: SIGN_TIMEOUT_MS });
      const der = Buffer.from(crl, 'base64');
      await this.crls.save(tx, list, { number, der, nextUpdate: request.nextUpdate }, now);
      this.published.inc();
      this.logger.info({ ...list, number, entries: entries.length }, 'CRL published');
    });
  }
}
