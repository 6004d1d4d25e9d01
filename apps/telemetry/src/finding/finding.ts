/** Decides which decisions on verified records are findings: what no vehicle does by itself, or does seldom enough to be looked at. */
import type { Epoch, SequenceNumber, StreamName } from '@outrider/ids';
import type { Decision } from '../window/decide-batch.js';

/** `jumped`: taken, far above the highest; `jump`: refused, beyond the hard limit; `replayed`: another record under a number that was used. */
export type FindingKind = 'jumped' | 'jump' | 'replayed' | 'epoch_raised';

interface Numbered {
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

function kindsOf(decision: Decision | { readonly verdict: 'failed' }): [FindingKind, string][] {
  if (decision.verdict === 'replayed') return [['replayed', 'another record of this number is stored']];
  if (decision.verdict === 'jump') return [['jump', 'beyond the hard limit, refused']];
  if (decision.verdict !== 'accepted') return [];
  const kinds: [FindingKind, string][] = [];
  if (decision.jumped !== undefined) kinds.push(['jumped', `${decision.jumped} above the highest number before`]);
  if (decision.epochRaised) kinds.push(['epoch_raised', 'by the device itself']);
  return kinds;
}
