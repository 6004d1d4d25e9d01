/** Decides which outcomes someone has to hear of: every refusal, and accepted records that came in an unusual way. */
import type { ErrorCode } from '@outrider/errors';
import type { Decision } from '../window/decide-batch.js';
import type { Outcome } from './answer.js';

/** A refusal with its code, for the decision log. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** An alert about an accepted record. */
export interface Alert {
  readonly kind: 'jumped' | 'epoch_raised';
  readonly seq: number;
  /** Distance above the previous highest, for `jumped`. */
  readonly distance?: number;
}

export function refusalsOf(outcomes: readonly Outcome[]): Refusal[] {
  return outcomes.flatMap((outcome) => {
    if (!('refused' in outcome)) return [];
    const { code, detail } = outcome.refused;
    return [{ code, detail: `seq ${outcome.seq ?? 'unreadable'}${detail ? `: ${detail}` : ''}`.slice(0, 500) }];
  });
}

/** `seqs`: of the records decided, in the same order. */
export function alertsOf(
  decisions: readonly (Decision | { readonly verdict: 'failed' })[],
  seqs: readonly number[],
): Alert[] {
  return decisions.flatMap((decision, index) => {
    if (decision.verdict !== 'accepted') return [];
    const seq = seqs[index]!;
    const alerts: Alert[] = [];
    if (decision.jumped !== undefined) alerts.push({ kind: 'jumped', seq, distance: decision.jumped });
    if (decision.epochRaised) alerts.push({ kind: 'epoch_raised', seq });
    return alerts;
  });
}
