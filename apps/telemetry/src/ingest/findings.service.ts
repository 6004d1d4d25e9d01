import { Injectable } from '@nestjs/common';
import type { DomainError, ErrorCode } from '@outrider/errors';
import { Decisions } from '@outrider/platform/admission';
import { currentTrace, Metrics } from '@outrider/platform/service';
import { type Finding, findingOfLog, findingsOf, kindsOf, type Numbered } from '../finding/finding.js';
import { FindingLog } from '../finding/finding-log.service.js';
import { Verdicts } from '../statistics/verdicts.service.js';
import type { Failed } from '../store/group-commit.service.js';
import type { Decision } from '../window/decide-batch.js';
import { type Outcome, toResult } from './answer.js';
import { refusalsOf } from './refusals.js';
import type { Sender } from './sender.js';
import type { VerifiedRecord } from './verified-record.js';

const ACTION = 'POST /v1/telemetry';
/** There from the beginning: an alert sees a count grow, not one that appears. */
const VERDICTS = ['accepted', 'duplicate', 'telemetry.replayed', 'telemetry.jump', 'telemetry.bad_signature'];
const KINDS = ['jumped', 'jump', 'replayed', 'epoch_raised'];

/** Tells what was found: refusals to the decision log, alerts and findings to theirs, all of it to the metrics. */
@Injectable()
export class Findings {
  private readonly verdicts;
  private readonly alerts;

  constructor(
    private readonly log: Decisions,
    private readonly counts: Verdicts,
    private readonly findings: FindingLog,
    metrics: Metrics,
  ) {
    this.verdicts = metrics.counter('outrider_telemetry_messages_total', 'Messages by verdict.', ['verdict']);
    this.alerts = metrics.counter('outrider_telemetry_alerts_total', 'Accepted records worth a look.', ['kind']);
    for (const verdict of VERDICTS) this.verdicts.inc({ verdict }, 0);
    for (const kind of KINDS) this.alerts.inc({ kind }, 0);
  }

  /** `decisions` and `verified` go together; `outcomes` are those of the whole body. */
  report(
    sender: Sender,
    outcomes: readonly Outcome[],
    decisions: readonly (Decision | Failed)[],
    verified: readonly VerifiedRecord[],
  ): void {
    for (const outcome of outcomes) {
      const verdict = 'verdict' in outcome ? outcome.verdict : outcome.refused.code;
      this.verdicts.inc({ verdict });
      if (verdict !== 'accepted') this.counts.count(sender.deviceId, toResult(outcome).verdict);
    }
    for (const refusal of refusalsOf(outcomes)) this.refused(sender, refusal);
    this.findings.raise(sender.deviceId, findingsOf(decisions, verified));
    for (const decision of decisions)
      if (decision.verdict === 'accepted') for (const [kind] of kindsOf(decision)) this.alerts.inc({ kind });
  }

  /** A refused offline log or head. `at`: what was ordered or announced, where that is known. */
  refusedLog(sender: Sender, error: DomainError, action: string, at: Numbered | undefined): void {
    this.refused(sender, error, action);
    const finding = at && findingOfLog(error, at);
    if (finding) this.raise(sender, finding);
  }

  raise({ deviceId }: Sender, finding: Finding): void {
    this.findings.raise(deviceId, [finding]);
  }

  /** One refusal, of a message or of a whole body. */
  refused(
    { deviceId, certificate, remoteAddress }: Sender,
    { code, detail }: { readonly code: ErrorCode; readonly detail?: string | undefined },
    action = ACTION,
  ): void {
    this.log.record({
      decision: 'deny',
      code,
      listener: 'vehicle',
      action,
      deviceId,
      thumbprint: certificate.thumbprint,
      remoteAddress,
      detail,
      traceId: currentTrace()?.traceId,
    });
  }
}
