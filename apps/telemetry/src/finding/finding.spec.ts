import { describe, expect, it } from '@jest/globals';
import { DomainError, type ErrorCode } from '@outrider/errors';
import { Epoch, SequenceNumber, StreamName } from '@outrider/ids';
import type { Decision } from '../window/decide-batch.js';
import { findingOfLog, findingsOf } from './finding.js';

const record = (seq: number) => ({
  stream: StreamName.parse('main'),
  epoch: Epoch.parse(0),
  seq: SequenceNumber.parse(seq),
});

describe('findingsOf', () => {
  it('finds nothing in what vehicles do every day', () => {
    const verdicts = ['accepted', 'duplicate', 'too_old', 'stale_epoch', 'epoch_refused', 'epoch_closed'] as const;
    const decisions = verdicts.map((verdict): Decision => ({ verdict }));
    expect(findingsOf([...decisions, { verdict: 'failed' }], [1, 2, 3, 4, 5, 6, 7].map(record))).toEqual([]);
  });

  it('names the first of each kind with its number', () => {
    const decisions: Decision[] = [
      { verdict: 'replayed' },
      { verdict: 'accepted', jumped: 20_000, epochRaised: true },
      { verdict: 'jump' },
      { verdict: 'replayed' },
    ];
    expect(findingsOf(decisions, [7, 20_001, 5_000_000, 8].map(record)).map(({ kind, seq }) => [kind, seq])).toEqual([
      ['replayed', 7],
      ['jumped', 20_001],
      ['epoch_raised', 20_001],
      ['jump', 5_000_000],
    ]);
  });
});

describe('findingOfLog', () => {
  const fault = (code: ErrorCode, seq: number | null) =>
    new DomainError(code, { detail: 'segment 2: why', members: { segment: 2, record: null, seq } });

  it('names the number that the refusal names, or the first that was asked for', () => {
    const found = { kind: 'log_refused', stream: 'main', epoch: 0, detail: 'telemetry.log_edited: segment 2: why' };
    expect(findingOfLog(fault('telemetry.log_edited', 17), record(11))).toEqual({ ...found, seq: 17 });
    expect(findingOfLog(fault('telemetry.log_edited', null), record(11))).toEqual({ ...found, seq: 11 });
  });

  it.each<ErrorCode>(['telemetry.log_malformed', 'telemetry.log_incomplete', 'telemetry.order_used'])(
    'is none for %s: a vehicle may do that by itself',
    (code) => expect(findingOfLog(fault(code, 17), record(11))).toBeUndefined(),
  );
});
