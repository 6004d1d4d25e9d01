/** Decides the answer to a telemetry request: a verdict per message, and for one message sent alone the status that fits it. */
import { DomainError, type ErrorCode } from '@outrider/errors';
import type { OrderView } from '../offline-log/fetch-order.js';
import type { WindowView } from '../window/window-view.js';

/** A message's fate: stored or known, or refused with the error that says why. `seq`: null where it could not be read. */
export type Outcome =
  | { readonly seq: number | null; readonly verdict: 'accepted' | 'duplicate' }
  | { readonly seq: number | null; readonly refused: DomainError };

/** `verdict`: for a refusal its code without the `telemetry.`, `invalid` for what is no message, `failed` for a fault of ours. */
export interface MessageResult {
  readonly seq: number | null;
  readonly verdict: string;
  readonly code?: ErrorCode;
}

export interface Answer {
  readonly results: readonly MessageResult[];
  readonly windows: readonly WindowView[];
  /** How many were stored now; duplicates are not counted. */
  readonly accepted: number;
  /** Fetch orders open for the device, where there are any (docs/protocols/offline-log.md). */
  readonly orders?: readonly OrderView[];
  /** A JWS that says the same, signed, where one was asked for. */
  readonly receipt?: string;
}

/** @throws DomainError the refusal of a message that was sent alone, with the members of an answer in its problem document. */
export function answerTo(
  single: boolean,
  outcomes: readonly Outcome[],
  windows: readonly WindowView[],
  orders?: readonly OrderView[],
  receiptFor?: (results: readonly MessageResult[]) => string,
): Answer {
  const results = outcomes.map(toResult);
  const answer: Answer = {
    results,
    windows,
    accepted: outcomes.filter((outcome) => 'verdict' in outcome && outcome.verdict === 'accepted').length,
    ...(orders ? { orders } : {}),
    ...(receiptFor ? { receipt: receiptFor(results) } : {}),
  };
  const only = outcomes[0];
  if (!single || !only || !('refused' in only)) return answer;
  const { code, detail, retryAfterSeconds } = only.refused;
  throw new DomainError(code, {
    cause: only.refused,
    ...(detail ? { detail } : {}),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    members: { ...answer },
  });
}

/** One message's fate in words. */
export function toResult(outcome: Outcome): MessageResult {
  if ('verdict' in outcome) return { seq: outcome.seq, verdict: outcome.verdict };
  const { code } = outcome.refused;
  return { seq: outcome.seq, verdict: verdictOf(code), code };
}

function verdictOf(code: ErrorCode): string {
  if (code.startsWith('telemetry.')) return code.slice('telemetry.'.length);
  return code === 'service.internal' ? 'failed' : 'invalid';
}
