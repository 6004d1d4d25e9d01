import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { jsonOf, serialValue, verifyServiceJws } from '@outrider/admission';
import { POLICIES_BUCKET, POLICIES_KEY, PoliciesInForce, SignedPolicies } from '@outrider/contracts';
import { JWS_TYP } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import {
  type CompiledBundle,
  compileBundle,
  decide,
  PolicyBundle,
  type PolicyDecision,
  type PolicyRequest,
} from '@outrider/policy';
import { DenylistFeed } from '../admission/denylist-feed.client.js';
import { Nats } from '../nats/nats.client.js';
import { Metrics } from '../service/metrics.service.js';
import { Readiness } from '../service/readiness.service.js';
import { LOGGER, type Logger, RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { Schedule } from '../service/schedule.service.js';
import { TrustFiles } from '../service/trust-files.service.js';
import { PolicyReports } from './policy-reports.service.js';

/** How soon a new bundle is in force everywhere. */
const POLL_MS = 2_000;
const MAX_BYTES = 1_048_576;

/**
 * The policies in force, decided by in this process. They come signed by gateway through the bucket POLICIES; a bundle of anyone else,
 * one that does not hold, and one that is not newer are left where they lie. While NATS is away the last ones stay in force.
 */
@Injectable()
export class Policies implements OnApplicationBootstrap {
  private inForce: CompiledBundle | undefined;
  /** The revision last looked at, good or not: each is judged once. */
  private revision = 0;
  private complaint: string | undefined;
  private readonly refused;
  private readonly decided;

  constructor(
    private readonly nats: Nats,
    private readonly trust: TrustFiles,
    private readonly reports: PolicyReports,
    private readonly denylist: DenylistFeed,
    private readonly schedule: Schedule,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    @Inject(LOGGER) private readonly logger: Logger,
    readiness: Readiness,
    metrics: Metrics,
  ) {
    this.refused = metrics.counter(
      'outrider_policy_bundles_refused_total',
      'Policy bundles that were not taken into force.',
    );
    this.decided = metrics.counter('outrider_policy_decisions_total', 'Decisions by policies.', ['action', 'decision']);
    readiness.add('policies', () => ({
      // What takes out of service is never held up by policies that are away (Forbids): revocation is ready without.
      ok: this.inForce !== undefined || runtime.service === 'revocation',
      detail: { version: this.inForce?.bundle.version ?? null, ...(this.complaint ? { refused: this.complaint } : {}) },
    }));
  }

  onApplicationBootstrap(): void {
    this.schedule.every(POLL_MS, 'the policies cannot be looked at', () => this.look())();
  }

  /** Undefined before the first bundle. */
  get version(): number | undefined {
    return this.inForce?.bundle.version;
  }

  /** @throws DomainError `policy.unavailable` while none are in force: nothing that needs them is allowed then. */
  decide(request: PolicyRequest): PolicyDecision {
    if (!this.inForce) throw new DomainError('policy.unavailable', { retryAfterSeconds: POLL_MS / 1000 });
    const decision = decide(this.inForce, request);
    this.decided.inc({ action: request.action, decision: decision.decision });
    if (decision.errors.length > 0)
      this.logger.error({ action: request.action, errors: decision.errors }, 'a policy failed');
    this.reports.report(request, decision);
    return decision;
  }

  /** The same, as a refusal. @throws DomainError `policy.denied` naming the policies, `policy.unavailable` */
  require(request: PolicyRequest): PolicyDecision {
    const decision = this.decide(request);
    if (decision.decision === 'allow') return decision;
    const because = decision.policies.length > 0 ? decision.policies.join(', ') : 'no policy permits it';
    throw new DomainError('policy.denied', { detail: because, members: { policies: decision.policies } });
  }

  /** Takes what lies in the bucket into force, if it is good and newer. */
  async look(): Promise<void> {
    const bucket = await this.nats.bucket(POLICIES_BUCKET.name);
    const record = await bucket.get(POLICIES_KEY);
    if (record?.operation !== 'PUT' || record.revision === this.revision) return;
    this.revision = record.revision;
    try {
      this.take(record.string(), new Date());
      this.complaint = undefined;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.complaint = error.detail ?? error.title;
      this.refused.inc();
      this.logger.error(
        { revision: record.revision, code: error.code, detail: error.detail },
        'policies are not taken into force',
      );
    }
  }

  private take(text: string, now: Date): void {
    const { trustDomain } = this.runtime.config;
    const trust = { infrastructureCas: this.trust.infrastructureCa, trustDomain, now };
    const verdict = verifyServiceJws(SignedPolicies.parse(text), JWS_TYP.policies, MAX_BYTES, trust);
    if (!verdict.ok) throw invalid(verdict.reason);
    if (verdict.service !== POLICIES_BUCKET.writer) throw invalid(`signed by ${verdict.service}`);
    const { thumbprint, keyThumbprint, serialNumber, authorityKeyId } = verdict.certificate;
    const serial = authorityKeyId === undefined ? undefined : serialValue(authorityKeyId, serialNumber);
    if (this.denylist.match({ thumbprint, keyThumbprint, serial })) throw invalid('the signer is out of service');
    const parsed = PoliciesInForce.safeParse(jsonOf(verdict.payload));
    if (!parsed.success) throw invalid('out of contract');
    const { version, schema, policies } = parsed.data;
    const before = this.inForce?.bundle.version ?? 0;
    if (version < before) throw invalid(`version ${version} after ${before}`);
    if (version === before) return;
    this.inForce = compileBundle(PolicyBundle.parse({ version, schema, policies }), 'in-force');
    this.logger.info({ version, policies: Object.keys(policies).length }, 'policies in force');
  }
}

function invalid(detail: string): DomainError {
  return new DomainError('policy.invalid', { detail });
}
