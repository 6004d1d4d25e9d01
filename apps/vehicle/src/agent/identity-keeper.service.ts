/** Sees to it that the vehicle has a certificate in force: enrols, renews when it is time, starts again when it has lapsed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@outrider/errors';
import type { EnrolService } from '../enrol/enrol.service.js';
import type { Identity } from '../enrol/identity.js';
import type { IdentityStore } from '../enrol/identity.store.js';
import { nextIdentityStep } from '../enrol/renewal.js';
import type { RenewalPlanService } from '../enrol/renewal-plan.service.js';
import type { Report } from '../report/report.service.js';
import type { TrustService } from '../trust/trust.service.js';
import type { ConnectionService } from './connection.service.js';
import { LinkService } from './link.service.js';

/** Timers are set for at most this long, so that a clock that is put right is noticed. */
const LOOK_AGAIN_MS = 60_000;

export class IdentityKeeperService {
  constructor(
    private readonly store: IdentityStore,
    private readonly enrolment: EnrolService,
    private readonly connections: ConnectionService,
    private readonly plan: RenewalPlanService,
    private readonly trust: TrustService,
    private readonly report: Report,
    private readonly signal: AbortSignal,
  ) {}

  /** Runs until the signal; rejects only for a bug or an unreadable factory identity. */
  async run(): Promise<void> {
    const link = new LinkService('provisioning', this.report, this.signal);
    let identity = await this.store.identity();
    if (identity) {
      await this.plan.follow(identity);
      await this.connections.use(identity);
    }
    while (!this.signal.aborted) {
      try {
        identity = await this.step(identity);
        link.good();
      } catch (error) {
        await link.failed(error);
        continue;
      }
      await this.trust.refresh(Date.now(), (await this.connections.current()).client);
      // What the platform suggests now may well be that it is time.
      await this.plan.ask(identity, (await this.connections.current()).client);
      const next = Math.min(this.plan.renewAt(identity), this.plan.nextQuestionAt(identity));
      const waitMs = Math.min(LOOK_AGAIN_MS, Math.max(0, next - Date.now()));
      await sleep(waitMs, undefined, { signal: this.signal }).catch(() => undefined);
    }
  }

  private async step(identity: Identity | undefined): Promise<Identity> {
    const step = nextIdentityStep(identity, identity ? this.plan.renewAt(identity) : 0, Date.now());
    if (identity && step === 'keep') return identity;
    const startedAt = performance.now();
    const { next, renewing } = await this.renewOrEnrol(identity);
    await this.plan.follow(next);
    await this.connections.use(next);
    this.trust.due();
    this.report({
      event: renewing ? 'renewed' : 'enrolled',
      thumbprint: next.thumbprint,
      serial: next.serialNumber,
      notAfter: new Date(next.notAfter).toISOString(),
      renewAt: new Date(this.plan.renewAt(next)).toISOString(),
      ms: Math.round(performance.now() - startedAt),
    });
    return next;
  }

  /** A lapsed certificate may still renew, by the platform's grace; told that it may not, the vehicle begins again as at the factory. */
  private async renewOrEnrol(identity: Identity | undefined): Promise<{ next: Identity; renewing: boolean }> {
    if (identity) {
      try {
        const { client } = await this.connections.current();
        return { next: await this.enrolment.renew(identity, client, this.signal), renewing: true };
      } catch (error) {
        if (!(error instanceof DomainError) || error.code !== 'tls.certificate_expired') throw error;
      }
    }
    return { next: await this.enrolment.enrol(identity, this.signal), renewing: false };
  }
}
