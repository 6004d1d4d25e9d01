/** Decides what is a finding, of decisions on verified records and of refused logs: what no vehicle does by itself, or does seldom enough to be looked at. */
import type { DomainError, ErrorCode } from '@outrider/errors';
import { type Epoch, SequenceNumber, type StreamName } from '@outrider/ids';
import type { Decision } from '../window/decide-batch.js';

/**
 * `jumped`: taken, far above the highest; `jump`: refused, beyond the hard limit; `replayed`: another record under a number that was used;
 * `log_refused`: an offline log, or a head of one, that somebody had a hand in.
 */
export type FindingKind = 'jumped' | 'jump' | 'replayed' | 'epoch_raised' | 'log_refused';

/** What no vehicle's own log is refused for. */
const TAMPERED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'telemetry.log_gap',
  'telemetry.log_edited',
  'telemetry.log_reordered',
  'telemetry.log_foreign',
  'telemetry.log_chain_broken',
  'telemetry.log_conflict',
  'telemetry.log_bad_signature',
  'telemetry.log_wrong_nonce',
]);
const MAX_DETAIL = 500;

export interface Numbered {
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly seq: SequenceNumber;
}

export interface Finding extends Numbered {
  readonly kind: FindingKind;
  readonly detail: string;
}

/** `records` and `decisions` go together; the first of each kind counts. */
export function findingsOf(
  decisions: readonly (Decision | { readonly verdict: 'failed' })[],
  records: readonly Numbered[],
): Finding[] {
  const found = new Map<FindingKind, Finding>();
  for (const [index, decision] of decisions.entries()) {
    const { stream, epoch, seq } = records[index]!;
    for (const [kind, detail] of kindsOf(decision)) {
      if (!found.has(kind)) found.set(kind, { kind, stream, epoch, seq, detail });
    }
  }
  return [...found.values()];
}

/** `at`: what was ordered or announced, where the refusal names no number. */
export function findingOfLog({ code, detail, members }: DomainError, at: Numbered): Finding | undefined {
  if (!TAMPERED.has(code)) return undefined;
  const named = SequenceNumber.safeParse(members.seq);
  const { stream, epoch } = at;
  const told = detail ? `${code}: ${detail}` : code;
  return {
    kind: 'log_refused',
    stream,
    epoch,
    seq: named.success ? named.data : at.seq,
    detail: told.slice(0, MAX_DETAIL),
  };
}

/** What is worth a look in one decision, each with why. */
export function kindsOf(decision: Decision | { readonly verdict: 'failed' }): [FindingKind, string][] {
  if (decision.verdict === 'replayed') return [['replayed', 'another record of this number is stored']];
  if (decision.verdict === 'jump') return [['jump', 'beyond the hard limit, refused']];
  if (decision.verdict !== 'accepted') return [];
  const kinds: [FindingKind, string][] = [];
  if (decision.jumped !== undefined) kinds.push(['jumped', `${decision.jumped} above the highest number before`]);
  if (decision.epochRaised) kinds.push(['epoch_raised', 'by the device itself']);
  return kinds;
}
