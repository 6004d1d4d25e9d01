import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { jsonOf, verifyServiceJws } from '@outrider/admission';
import { POLICIES_BUCKET, POLICIES_KEY, PoliciesInForce } from '@outrider/contracts';
import { JWS_TYP } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { Nats, ServiceIdentity } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER, type Logger, Schedule, TrustFiles } from '@outrider/platform/service';
import { PolicyBundle } from '@outrider/policy';
import type { Config } from '../config.js';
import { Bundles } from './bundles.repository.js';

const EVERY_MS = 5_000;
/** Signed anew that often, so that whoever starts later finds a signature by a certificate that is still good. */
const FRESH_MS = 24 * 3_600_000;
const MAX_BYTES = 1_048_576;

/** Keeps the bucket at the latest version: at once after a change, and whenever it is found otherwise. */
@Injectable()
export class BundlePublisher implements OnApplicationBootstrap {
  constructor(
    private readonly nats: Nats,
    private readonly identity: ServiceIdentity,
    private readonly bundles: Bundles,
    private readonly schedule: Schedule,
    private readonly database: Database,
    private readonly trust: TrustFiles,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'the policies are not published', () => this.publish(new Date()));
  }

  /** What lies there and is newer than what the database knows was in force before a restore: it is taken over, never taken back. */
  async publish(now: Date): Promise<void> {
    const latest = await this.bundles.latest();
    if (!latest) return;
    const bucket = await this.nats.bucket(POLICIES_BUCKET.name);
    const record = await bucket.get(POLICIES_KEY);
    const lying = record?.operation === 'PUT' ? this.ownWord(record.string(), now) : undefined;
    if (lying && lying.content.version > latest.version) await this.takeOver(lying.content, now);
    const newest = lying && lying.content.version > latest.version ? lying.content : latest;
    const isFresh = lying && now.getTime() - Date.parse(lying.content.issuedAt) < FRESH_MS;
    const isOurs = lying?.signer === this.identity.certificate.thumbprint;
    if (isFresh && isOurs && lying.content.version === newest.version) return;
    const { version, schema, policies } = newest;
    const content: PoliciesInForce = { version, schema, policies, issuedAt: now.toISOString() };
    await bucket.put(POLICIES_KEY, this.identity.sign(JWS_TYP.policies, content));
  }

  private async takeOver({ version, schema, policies }: PoliciesInForce, now: Date): Promise<void> {
    const origin = { source: 'operator', changedBy: 'gateway', reason: 'found in force after a restore' } as const;
    const found = PolicyBundle.parse({ version, schema, policies });
    await this.database.transaction(async (tx) => {
      const latest = await this.bundles.lockLatest(tx);
      if (latest && latest.version >= version) return;
      await this.bundles.add(tx, { ...found, ...origin, changedAt: now });
    });
    this.logger.warn({ version }, 'policies newer than the database knew');
  }

  /** A bundle that gateway signed, by whichever of its certificates; what is none is written over. */
  private ownWord(jws: string, now: Date): { content: PoliciesInForce; signer: string } | undefined {
    const trust = { infrastructureCas: this.trust.infrastructureCa, trustDomain: this.config.trustDomain, now };
    try {
      const verdict = verifyServiceJws(jws, JWS_TYP.policies, MAX_BYTES, trust);
      if (!verdict.ok || verdict.service !== 'gateway') return undefined;
      const content = PoliciesInForce.safeParse(jsonOf(verdict.payload));
      return content.success ? { content: content.data, signer: verdict.certificate.thumbprint } : undefined;
    } catch (error) {
      if (error instanceof DomainError) return undefined;
      throw error;
    }
  }
}
