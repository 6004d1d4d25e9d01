/** Turns the verdicts on a batch into what the queue writes and what the vehicle reports. */
import type { Result } from './answer.js';
import { afterVerdict, type RecordState } from './verdict.js';

export interface SentRecord {
  readonly epoch: number;
  readonly seq: number;
  /** How often it was sent before. */
  readonly attempts: number;
}

export interface SettledRecord {
  readonly epoch: number;
  readonly seq: number;
  readonly state: RecordState;
  readonly verdict: string;
  readonly code: string;
  readonly loud: boolean;
}

/** Neighbours with the same fate, to be reported as one. */
export interface SettledRun {
  readonly first: SettledRecord;
  readonly upTo: number;
  readonly count: number;
}

/** `results` covers `records` one to one, in order: `readAnswer` has seen to that. */
export function settle(records: readonly SentRecord[], results: readonly Result[]): readonly SettledRecord[] {
  return records.map(({ epoch, seq, attempts }, index) => {
    const { verdict, code } = results[index] as Result;
    const { state, loud } = afterVerdict(verdict, attempts + 1);
    return { epoch, seq, state, verdict, code: code ?? `telemetry.${verdict}`, loud };
  });
}

export function runs(settled: readonly SettledRecord[]): readonly SettledRun[] {
  const found: { first: SettledRecord; upTo: number; count: number }[] = [];
  for (const record of settled) {
    const last = found.at(-1);
    if (last && last.first.verdict === record.verdict && last.first.state === record.state) {
      last.upTo = record.seq;
      last.count += 1;
    } else {
      found.push({ first: record, upTo: record.seq, count: 1 });
    }
  }
  return found;
}
