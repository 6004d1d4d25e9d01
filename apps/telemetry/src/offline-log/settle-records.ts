/** Decides what becomes of each record of a verified log: taken in, known already, in conflict with what is stored, or never asked for. */
import type { SequenceRange } from '@outrider/replay-window';
import { contains } from './ranges.js';
import type { LogRecord } from './segment-records.js';

/** `replayed`: another record of that number is stored, a finding. `outside`: the order did not ask for it, or the live window may still take it. */
export type LogVerdict = 'accepted' | 'duplicate' | 'replayed' | 'outside';

/** `stored`: canonical digests, hex, of what is stored under a number, by either way. */
export function settleRecord(
  record: Pick<LogRecord, 'seq' | 'canonicalSha256'>,
  asked: readonly SequenceRange[],
  stored: ReadonlyMap<number, string>,
): LogVerdict {
  if (!contains(asked, record.seq)) return 'outside';
  const known = stored.get(record.seq);
  if (known === undefined) return 'accepted';
  return known === record.canonicalSha256 ? 'duplicate' : 'replayed';
}

/** Neighbours with one verdict, told as one. */
export interface VerdictRun {
  readonly from: number;
  readonly to: number;
  readonly verdict: LogVerdict;
}

/** `settled`: with rising numbers. */
export function verdictRuns(settled: readonly { readonly seq: number; readonly verdict: LogVerdict }[]): VerdictRun[] {
  const runs: { from: number; to: number; verdict: LogVerdict }[] = [];
  for (const { seq, verdict } of settled) {
    const last = runs.at(-1);
    if (last && last.verdict === verdict && last.to + 1 === seq) last.to = seq;
    else runs.push({ from: seq, to: seq, verdict });
  }
  return runs;
}
