/** Sees to it that the vehicle has a certificate in force: enrols, renews ahead of expiry, starts again when it has lapsed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EnrolService } from '../enrol/enrol.service.js';
import type { Identity } from '../enrol/identity.js';
import type { IdentityStore } from '../enrol/identity.store.js';
import { nextIdentityStep, renewAt } from '../enrol/renewal.js';
import type { Report } from '../report/report.service.js';
import type { ConnectionService } from './connection.service.js';
import { LinkService } from './link.service.js';

/** Timers are set for at most this long, so that a clock that is put right is noticed. */
const LOOK_AGAIN_MS = 60_000;

export class IdentityKeeperService {
  constructor(
    private readonly store: IdentityStore,
    private readonly enrolment: EnrolService,
    private readonly connections: ConnectionService,
    /** In [0, 1), drawn once for this run: where in the renewal window this vehicle renews. */
    private readonly jitter: number,
    private readonly report: Report,
    private readonly signal: AbortSignal,
  ) {}

  /** Runs until the signal; rejects only for a bug or an unreadable factory identity. */
  async run(): Promise<void> {
    const link = new LinkService('provisioning', this.report, this.signal);
    let identity = await this.store.identity();
    if (identity) await this.connections.use(identity);
    while (!this.signal.aborted) {
      try {
        identity = await this.step(identity);
        link.good();
      } catch (error) {
        await link.failed(error);
        continue;
      }
      const waitMs = Math.min(LOOK_AGAIN_MS, Math.max(0, renewAt(identity, this.jitter) - Date.now()));
      await sleep(waitMs, undefined, { signal: this.signal }).catch(() => undefined);
    }
  }

  private async step(identity: Identity | undefined): Promise<Identity> {
    const step = nextIdentityStep(identity, this.jitter, Date.now());
    if (identity && step === 'keep') return identity;
    const startedAt = performance.now();
    const renewing = identity !== undefined && step === 'renew';
    const next = renewing
      ? await this.enrolment.renew(identity, this.signal)
      : await this.enrolment.enrol(identity, this.signal);
    await this.connections.use(next);
    this.report({
      event: renewing ? 'renewed' : 'enrolled',
      thumbprint: next.thumbprint,
      serial: next.serialNumber,
      notAfter: new Date(next.notAfter).toISOString(),
      renewAt: new Date(renewAt(next, this.jitter)).toISOString(),
      ms: Math.round(performance.now() - startedAt),
    });
    return next;
  }
}
