import { Injectable } from '@nestjs/common';
import type { ErrorCode } from '@outrider/errors';
import { Decisions } from '@outrider/platform/admission';
import { currentTrace, Metrics } from '@outrider/platform/service';

/** `accountId`: where the name was somebody's. What was typed stays out: people type passwords into the field for names. */
export interface Attempt {
  readonly what: string;
  readonly accountId: string | undefined;
  readonly remoteAddress: string;
}

/** Every attempt to sign in, in the decision log. */
@Injectable()
export class AttemptLog {
  private readonly attempts;

  constructor(
    private readonly decisions: Decisions,
    metrics: Metrics,
  ) {
    this.attempts = metrics.counter('outrider_sign_in_attempts_total', 'Attempts to sign in.', ['what', 'code']);
  }

  record({ what, accountId, remoteAddress }: Attempt, code: ErrorCode | 'ok', detail?: string): void {
    this.attempts.inc({ what, code });
    this.decisions.record({
      decision: code === 'ok' ? 'allow' : 'deny',
      code,
      listener: 'operator',
      action: `sign-in ${what}`,
      subject: accountId === undefined ? undefined : `op:${accountId}`,
      remoteAddress,
      detail,
      traceId: currentTrace()?.traceId,
    });
  }
}
