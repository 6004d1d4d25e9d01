import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, LOGGER, Metrics } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { type CrlIssuer, type CrlKind, type CrlPlan, crlSignRequest, fileOf, thisUpdateOf } from './crl.js';
import { Crls, type DueCrl } from './crl.repository.js';
import { CrlDrafts } from './crl-drafts.service.js';
import { CrlIssuers } from './crl-issuers.service.js';
import { CrlSigner } from './crl-signer.client.js';

const TICK_MS = 1000;
const PURGE_EVERY_MS = 60_000;
const BATCH = 64;
/** A list that failed is not tried again before. */
const AGAIN_MS = 5000;

/** Has fleet-ca sign the lists: on a cadence, and at once where a key is compromised or a hold released. Nothing waits for it. */
@Injectable()
export class CrlPublisher implements OnApplicationBootstrap, OnApplicationShutdown {
  private running: Promise<void> | undefined;
  private isAskedAgain = false;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly failedAt = new Map<string, number>();
  private purgedAt = 0;
  private readonly metrics;

  constructor(
    private readonly crls: Crls,
    private readonly drafts: CrlDrafts,
    private readonly signer: CrlSigner,
    private readonly issuers: CrlIssuers,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.metrics = {
      published: metrics.counter('outrider_crls_published_total', 'Certificate revocation lists published.', ['kind']),
      failed: metrics.counter('outrider_crls_failed_total', 'Lists that could not be published just then.', ['kind']),
      seconds: metrics.histogram(
        'outrider_crl_publish_seconds',
        'From the first entry read to the list that is served.',
        [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60],
        ['kind'],
      ),
      left: metrics.gauge('outrider_crl_expiry_seconds', 'How long the list that ends first is still good for.', [
        'kind',
      ]),
      age: metrics.gauge('outrider_crl_age_seconds', 'Age of the oldest list that is served.', ['kind']),
    };
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

  /** After a commit that no list should wait for; which lists they are stands in the database. */
  publishSoon(): void {
    this.isAskedAgain = this.running !== undefined;
    this.run();
  }

  private run(): void {
    if (this.stopped) return;
    this.running ??= this.publishDue()
      .catch((error: unknown) => this.logger.warn({ err: error }, 'the CRLs wait: PostgreSQL is away'))
      .finally(() => {
        this.running = undefined;
        if (!this.isAskedAgain) return;
        this.isAskedAgain = false;
        this.run();
      });
  }

  private async publishDue(): Promise<void> {
    const { shardCount, intervalSeconds, delta } = this.config.crl;
    const issuers = this.issuers.current();
    const cadence = { shardCount, intervalSeconds, deltaIntervalSeconds: delta?.intervalSeconds };
    const now = new Date();
    for (const due of await this.crls.due(issuers, cadence, now, BATCH)) {
      if (this.stopped) return;
      const issuer = issuers.find((each) => each.prefix === due.prefix);
      if (issuer && now.getTime() - (this.failedAt.get(fileOf(due)) ?? 0) >= AGAIN_MS) await this.tryOne(issuer, due);
    }
    await this.measure(issuers);
    if (now.getTime() - this.purgedAt < PURGE_EVERY_MS) return;
    this.purgedAt = now.getTime();
    await this.crls.purge(now, 2 * this.config.crl.validitySeconds);
  }

  /** One list that cannot be published keeps none of the others from it. */
  private async tryOne(issuer: CrlIssuer, due: DueCrl): Promise<void> {
    const file = fileOf(due);
    try {
      await this.crls.exclusively(due, async () => {
        if (await this.crls.isStillDue(due)) await this.publish(issuer, due, new Date());
      });
      this.failedAt.delete(file);
    } catch (error) {
      this.failedAt.set(file, Date.now());
      this.metrics.failed.inc({ kind: due.kind });
      this.logger.warn({ err: error, file }, 'a CRL waits: PostgreSQL or fleet-ca is away, or refuses it');
    }
  }

  private async publish(issuer: CrlIssuer, list: DueCrl, now: Date): Promise<void> {
    const begun = performance.now();
    const { crl } = this.config;
    const { shard, kind } = list;
    const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);
    const base = kind === 'delta' ? await this.crls.base(issuer, list, ago(crl.intervalSeconds)) : undefined;
    if (kind === 'delta' && base === undefined) return;
    const { issuerKeyId } = issuer;
    // A certificate that is over stays for as long as a list is good: it has been in one full list at least (RFC 5280 §3.3).
    const entries = { issuerKeyId, shard, after: ago(crl.validitySeconds), base };
    // The number before the entries: a publisher that lost its lock while it read has the lower one, and is refused.
    const number = await this.crls.takeNumber(list, now);
    const written = await this.drafts.write(entries, thisUpdateOf(now));
    const plan = this.plan(issuer, shard, kind, base?.number);
    const request = crlSignRequest(plan, number, written, now, new Date());
    const { head, tail } = await this.signer.sign(plan, request, written);
    const tookMs = Math.round(performance.now() - begun);
    await this.crls.add(list, {
      ...{ number, baseNumber: base?.number, head, tail, tookMs, publishedAt: now },
      ...{ draft: written.draft, parts: written.parts, upTo: written.upTo, entries: written.entries.count },
      bytes: head.length + written.entries.bytes + tail.length,
      ...{ thisUpdate: request.thisUpdate, nextUpdate: request.nextUpdate },
    });
    this.metrics.published.inc({ kind });
    this.metrics.seconds.observe({ kind }, tookMs / 1000);
    this.logger.info({ file: fileOf(list), number, entries: written.entries.count, ms: tookMs }, 'CRL published');
  }

  private plan(issuer: CrlIssuer, shard: number, kind: CrlKind, baseNumber: number | undefined): CrlPlan {
    const { baseUrl, validitySeconds, delta } = this.config.crl;
    const isDelta = kind === 'delta' && delta !== undefined;
    return {
      ...{ issuer, baseUrl, shard, baseNumber },
      validitySeconds: isDelta ? delta.validitySeconds : validitySeconds,
      hasDeltas: delta !== undefined,
    };
  }

  /** What tells that a cadence cannot be kept, before a list is over. */
  private async measure(issuers: readonly CrlIssuer[]): Promise<void> {
    for (const { kind, leftSeconds, ageSeconds } of await this.crls.freshness(issuers, new Date())) {
      this.metrics.left.set({ kind }, leftSeconds);
      this.metrics.age.set({ kind }, ageSeconds);
    }
  }
}
