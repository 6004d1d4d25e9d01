/** The refusals of a body, each with its code, for the decision log. */
import type { ErrorCode } from '@outrider/errors';
import type { Outcome } from './answer.js';

export interface Refusal {
  readonly code: ErrorCode;
  readonly detail: string;
}

export function refusalsOf(outcomes: readonly Outcome[]): Refusal[] {
  return outcomes.flatMap((outcome) => {
    if (!('refused' in outcome)) return [];
    const { code, detail } = outcome.refused;
    return [{ code, detail: `seq ${outcome.seq ?? 'unreadable'}${detail ? `: ${detail}` : ''}`.slice(0, 500) }];
  });
}
