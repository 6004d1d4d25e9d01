import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { POLICIES_DECIDED } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Subscriptions } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER, type Logger, Schedule } from '@outrider/platform/service';
import { checkPolicies, compileBundle } from '@outrider/policy';
import type { Config } from '../config.js';
import { type BundleBody, type DryRunBody, type StoredBundle, shippedSuccessor } from './bundle-document.js';
import { BundlePublisher } from './bundle-publisher.service.js';
import { Bundles } from './bundles.repository.js';
import { dryRun } from './dry-run.js';
import { readPolicyFolder } from './shipped-policies.store.js';

const DAY_MS = 86_400_000;
const KEPT_DAYS = 30;
const SHIP_AGAIN_MS = 1_000;

const isAway = (error: unknown) => error instanceof DomainError && error.code === 'service.unavailable';

/** The policies of the fleet: which are in force, who changed them, and what a change would do. */
@Injectable()
export class PolicyService implements OnApplicationBootstrap {
  private isShipped = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly database: Database,
    private readonly bundles: Bundles,
    private readonly publisher: BundlePublisher,
    private readonly subscriptions: Subscriptions,
    private readonly schedule: Schedule,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    for (const contract of POLICIES_DECIDED) {
      this.subscriptions.consume(contract, (decided, { streamSequence }) =>
        this.bundles.record(decided, streamSequence),
      );
    }
    const forget = () => this.bundles.forgetRecorded(new Date(Date.now() - KEPT_DAYS * DAY_MS));
    this.schedule.every(3_600_000, 'old decisions by policies wait', forget);
    try {
      await this.ship(new Date());
    } catch (error) {
      // PostgreSQL has no time for it now: no reason to end, and to begin again and again on a machine that has none.
      if (!isAway(error)) throw error;
      this.logger.warn({ err: error }, 'the shipped policies wait');
      this.schedule.every(SHIP_AGAIN_MS, 'the shipped policies wait', async () => {
        if (!this.isShipped) await this.ship(new Date());
      });
    }
  }

  /** The latest version. @throws DomainError `policy.unavailable` before the first, which only a start without a database sees. */
  async inForce(): Promise<StoredBundle> {
    const latest = await this.bundles.latest();
    if (latest) return latest;
    throw new DomainError('policy.unavailable');
  }

  /**
   * A new version, in force everywhere within seconds.
   * @param ifMatch the version that the operator saw.
   * @throws DomainError `policy.invalid`, `request.precondition_failed`
   */
  async change(body: BundleBody, ifMatch: number, by: string, now: Date): Promise<StoredBundle> {
    const changed = await this.database.transaction(async (tx) => {
      const latest = await this.bundles.lockLatest(tx);
      if (latest?.version !== ifMatch) {
        throw new DomainError('request.precondition_failed', { detail: `version ${latest?.version ?? 0} is in force` });
      }
      const { policies, reason, schema = latest.schema } = body;
      checkPolicies({ schema, policies });
      const version = latest.version + 1;
      const next: StoredBundle = {
        version,
        schema,
        policies,
        source: 'operator',
        changedBy: by,
        reason,
        changedAt: now,
      };
      await this.bundles.add(tx, next);
      return next;
    });
    // Committed: where NATS is away now, it is published when that is back.
    await this.publisher.publish(now).catch((error: unknown) => this.logger.warn({ err: error }, 'the policies wait'));
    return changed;
  }

  /** @throws DomainError `policy.invalid` */
  async tryOut({ policies, schema, since, limit }: DryRunBody, now: Date) {
    const current = await this.inForce();
    const content = { version: current.version + 1, schema: schema ?? current.schema, policies };
    const from = since === undefined ? new Date(now.getTime() - DAY_MS) : new Date(since);
    const recorded = await this.bundles.recorded(from, limit);
    return dryRun(compileBundle(content, 'candidate'), recorded);
  }

  private async ship(now: Date): Promise<void> {
    const shipped = readPolicyFolder(this.config.policies.folder);
    await this.database.transaction(async (tx) => {
      const next = shippedSuccessor(await this.bundles.lockLatest(tx), shipped);
      if (!next) return;
      checkPolicies(next);
      const origin = {
        source: 'shipped',
        changedBy: 'gateway',
        reason: 'shipped with the product',
        changedAt: now,
      } as const;
      await this.bundles.add(tx, { ...next, ...origin });
      this.logger.info({ version: next.version }, 'shipped policies');
    });
    this.isShipped = true;
    await this.publisher.publish(now).catch((error: unknown) => this.logger.warn({ err: error }, 'the policies wait'));
  }
}
