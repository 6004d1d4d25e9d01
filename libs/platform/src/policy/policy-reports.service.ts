import { Inject, Injectable } from '@nestjs/common';
import { PolicyDecided, policyDecided } from '@outrider/contracts';
import type { PolicyDecision, PolicyRequest } from '@outrider/policy';
import { Nats } from '../nats/nats.client.js';
import { Metrics } from '../service/metrics.service.js';
import { LOGGER, type Logger, RUNTIME, type Runtime } from '../service/runtime.provider.js';

/** Allows a second that are reported by one instance: enough to try other policies on, not a copy of the traffic. */
const ALLOWS_A_SECOND = 5;
const MAX_WAITING = 1000;

/** Reports decisions by policies with their inputs to gateway. Never waits and never fails whoever decides. */
@Injectable()
export class PolicyReports {
  private second = 0;
  private allows = 0;
  private waiting = 0;
  private readonly dropped;

  constructor(
    private readonly nats: Nats,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.dropped = metrics.counter(
      'outrider_policy_reports_dropped_total',
      'Decisions by policies that reached no log.',
    );
  }

  report(request: PolicyRequest, { decision, policies, errors, version }: PolicyDecision): void {
    if (decision === 'allow' && !this.isSampled()) return;
    if (this.waiting >= MAX_WAITING) {
      this.dropped.inc();
      return;
    }
    const { service, instance } = this.runtime;
    const at = new Date().toISOString();
    const short = errors.map((error) => error.slice(0, 500));
    const payload = PolicyDecided.parse({ service, instance, request, decision, policies, errors: short, version, at });
    this.waiting += 1;
    this.nats
      .publishKept(policyDecided(service).subject, JSON.stringify(payload))
      .catch((error: unknown) => {
        this.dropped.inc();
        this.logger.warn({ err: error, action: request.action, decision }, 'a decision by policies was not reported');
      })
      .finally(() => {
        this.waiting -= 1;
      });
  }

  private isSampled(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.second) [this.second, this.allows] = [second, 0];
    this.allows += 1;
    return this.allows <= ALLOWS_A_SECOND;
  }
}
