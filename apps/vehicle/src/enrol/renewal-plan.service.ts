/** When this vehicle renews: asks the platform's renewal-info on its schedule, and keeps what it said over restarts. */
import { z } from 'zod';
import { NetworkFailure } from '../http/network-failure.js';
import type { VehicleClient } from '../http/vehicle.client.js';
import type { Report } from '../report/report.service.js';
import type { Identity } from './identity.js';
import { type RenewalWindow, renewAt } from './renewal.js';
import { askAgainMs, certificateId, type RenewalAdvice, readAdvice } from './renewal-info.js';

/** `place`: in [0, 1), where in the window this vehicle renews; drawn once a certificate, so that a restart draws no better lot. */
const PlanFile = z.object({
  thumbprint: z.string(),
  place: z.number().min(0).max(1),
  window: z.object({ start: z.number(), end: z.number() }).optional(),
});
type Plan = z.infer<typeof PlanFile>;

export interface PlanStore {
  load(): Promise<unknown>;
  save(plan: object): Promise<void>;
}

export class RenewalPlanService {
  private plan: Plan | undefined;
  private askAt = 0;
  private failures = 0;
  private said = '';

  constructor(
    private readonly store: PlanStore,
    /** EST's base, a label included: `https://host/.well-known/est`. */
    private readonly est: string,
    private readonly report: Report,
    private readonly signal: AbortSignal,
    private readonly random: () => number = Math.random,
  ) {}

  /** Takes up the plan for this certificate, or begins one. To be called before the others, whenever the certificate is another. */
  async follow(identity: Identity): Promise<void> {
    if (this.plan?.thumbprint === identity.thumbprint) return;
    const stored = PlanFile.safeParse(await this.store.load()).data;
    this.plan =
      stored?.thumbprint === identity.thumbprint ? stored : { thumbprint: identity.thumbprint, place: this.random() };
    if (this.plan !== stored) await this.store.save(this.plan);
    this.askAt = 0;
    this.failures = 0;
  }

  /** Ms since the epoch. */
  renewAt(identity: Identity): number {
    const { place = 0.5, window } = this.plan ?? {};
    return renewAt(identity, place, window);
  }

  /** When to ask next, in ms since the epoch; a certificate that is over is not asked for. */
  nextQuestionAt(identity: Identity): number {
    return identity.authorityKeyId === undefined ? Number.POSITIVE_INFINITY : this.askAt;
  }

  /** Asks, if it is time to. Whatever comes of it, the vehicle has a time to renew at: nothing is thrown but a bug. */
  async ask(identity: Identity, client: VehicleClient): Promise<void> {
    if (Date.now() < this.nextQuestionAt(identity) || Date.now() >= identity.notAfter) return;
    const { advice, retryAfterSeconds } = await this.advice(identity, client);
    this.failures = advice.kind === 'unknown' ? this.failures + 1 : 0;
    this.askAt = Date.now() + askAgainMs(advice, retryAfterSeconds, this.failures, this.random());
    if (advice.kind === 'window') await this.take(identity, advice.window);
    else if (advice.kind === 'none') await this.take(identity, undefined);
    if (advice.kind === 'window') this.said = '';
    else if (!this.signal.aborted && this.said !== advice.why) {
      this.said = advice.why;
      this.report({ event: 'no_renewal_info', why: advice.why, renewAt: iso(this.renewAt(identity)) });
    }
  }

  private async advice(
    { authorityKeyId = '', serialNumber }: Identity,
    client: VehicleClient,
  ): Promise<{ advice: RenewalAdvice; retryAfterSeconds: number | undefined }> {
    try {
      const url = `${this.est}/renewal-info/${certificateId(authorityKeyId, serialNumber)}`;
      const headers = { accept: 'application/json' };
      const { status, body, retryAfterSeconds } = await client.send(url, {
        method: 'GET',
        headers,
        signal: this.signal,
      });
      return { advice: readAdvice(status, body), retryAfterSeconds };
    } catch (error) {
      if (!(error instanceof NetworkFailure) && !this.signal.aborted) throw error;
      const why = error instanceof NetworkFailure ? error.kind : 'stopped';
      return { advice: { kind: 'unknown', why }, retryAfterSeconds: undefined };
    }
  }

  /** On the disk only where something changed: a question a minute must not wear it out. */
  private async take(identity: Identity, window: RenewalWindow | undefined): Promise<void> {
    const { plan } = this;
    if (!plan || (plan.window?.start === window?.start && plan.window?.end === window?.end)) return;
    this.plan = { thumbprint: plan.thumbprint, place: plan.place, ...(window ? { window } : {}) };
    await this.store.save(this.plan);
    if (!window) return;
    const [start, end] = [iso(window.start), iso(window.end)];
    this.report({ event: 'renewal_window', start, end, renewAt: iso(this.renewAt(identity)) });
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
