import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, Metrics } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { Failed } from '../store/group-commit.service.js';
import type { Decision } from '../window/decide-batch.js';
import type { Outcome } from './answer.js';
import type { VerifiedRecord } from './check-message.js';
import { alertsOf, refusalsOf } from './findings.js';
import type { Sender } from './ingest.service.js';

/** Tells what was found: refusals to the decision log, alerts to the log, all of it to the metrics. */
@Injectable()
export class Findings {
  private readonly verdicts;
  private readonly alerts;

  constructor(
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.verdicts = metrics.counter('outrider_telemetry_messages_total', 'Messages by verdict.', ['verdict']);
    this.alerts = metrics.counter('outrider_telemetry_alerts_total', 'Accepted records worth a look.', ['kind']);
  }

  /** `decisions` and `verified` go together; `outcomes` are those of the whole body. */
  report(
    sender: Sender,
    outcomes: readonly Outcome[],
    decisions: readonly (Decision | Failed)[],
    verified: readonly VerifiedRecord[],
  ): void {
    for (const outcome of outcomes)
      this.verdicts.inc({ verdict: 'verdict' in outcome ? outcome.verdict : outcome.refused.code });
    for (const { code, detail } of refusalsOf(outcomes)) {
      this.logger.info({ code, detail, deviceId: sender.deviceId }, 'refused');
    }
    const seqs = verified.map((record) => record.seq);
    for (const alert of alertsOf(decisions, seqs)) {
      this.alerts.inc({ kind: alert.kind });
      this.logger.warn({ ...alert, deviceId: sender.deviceId }, 'an unusual record was accepted');
    }
  }
}
