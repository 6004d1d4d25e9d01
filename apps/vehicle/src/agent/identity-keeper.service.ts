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
import type { RecoveryStore } from './recovery.store.js';

/** Timers are set for at most this long, so that a clock that is put right is noticed. */
const LOOK_AGAIN_MS = 60_000;

export class IdentityKeeperService {
  private wake: () => void = () => undefined;

  constructor(
    private readonly store: IdentityStore,
    private readonly enrolment: EnrolService,
    private readonly connections: ConnectionService,
    private readonly plan: RenewalPlanService,
    private readonly trust: TrustService,
    private readonly recovery: RecoveryStore,
    private readonly report: Report,
    private readonly signal: AbortSignal,
  ) {}

  /** Something happened that it may be time for another certificate for. */
  look(): void {
    this.wake();
  }

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
      await this.pause(waitMs);
    }
  }

  private async pause(ms: number): Promise<void> {
    const waking = new AbortController();
    this.wake = () => waking.abort();
    if (this.recovery.wanted()) return;
    await sleep(ms, undefined, { signal: AbortSignal.any([this.signal, waking.signal]) }).catch(() => undefined);
  }

  private async step(identity: Identity | undefined): Promise<Identity> {
    const step = nextIdentityStep(identity, identity ? this.plan.renewAt(identity) : 0, Date.now());
    const recovering = this.recovery.wanted();
    if (identity && step === 'keep' && !recovering) return identity;
    const startedAt = performance.now();
    const { next, renewing } = await this.renewOrEnrol(identity, recovering);
    if (recovering) this.recovery.done();
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

  /**
   * A lapsed certificate may still renew, by the platform's grace; told that it may not, the vehicle begins again as at the factory. So does
   * one that is told to recover, as long as its fleet certificate is refused: by the factory certificate it is let in once an order says so.
   */
  private async renewOrEnrol(
    identity: Identity | undefined,
    recovering: boolean,
  ): Promise<{ next: Identity; renewing: boolean }> {
    if (identity) {
      try {
        const { client } = await this.connections.current();
        return { next: await this.enrolment.renew(identity, client, this.signal), renewing: true };
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        const outOfService = error.code.startsWith('denylist.') || error.code === 'est.device_state_refused';
        if (error.code !== 'tls.certificate_expired' && !(recovering && outOfService)) throw error;
      }
    }
    return { next: await this.enrolment.enrol(identity, this.signal), renewing: false };
  }
}
