import { describe, expect, it } from '@jest/globals';
import { Denylist } from '@outrider/admission';
import type { DenylistEntry } from '@outrider/contracts';
import { merge, nextGeneration } from './merge.js';

const NOW = new Date(1_000_000_000);
const entry = (value: string, sequence: number, more: Partial<DenylistEntry> = {}): DenylistEntry => ({
  kind: 'device',
  value,
  mode: 'deny',
  reason: 'test',
  sequence,
  ...more,
});
const listOf = (...entries: DenylistEntry[]) => {
  const list = new Denylist();
  for (const one of entries) list.apply(one);
  return list;
};
const beat = (sequence: number, generation = 5) => ({ generation, sequence, count: 0, digest: '0'.repeat(64) });
const [a, b, c] = [entry('a', 1), entry('b', 2), entry('c', 3)];

describe('merge', () => {
  it('continues where the last writer stopped, entries written ahead of the heartbeat among them', () => {
    const database = { list: listOf(a, b, c), generation: 5, sequence: 3 };
    expect(merge({ list: listOf(a, b), heartbeat: beat(2) }, database, NOW)).toEqual({ kind: 'continue', written: 2 });
    expect(merge({ list: listOf(a, b, c), heartbeat: beat(2) }, database, NOW)).toEqual({
      kind: 'continue',
      written: 2,
    });
  });

  it('does not miss a tombstone whose key was taken away, but one whose entry still lies there', () => {
    const database = { list: listOf(a, entry('b', 3, { removed: true })), generation: 5, sequence: 3 };
    expect(merge({ list: listOf(a), heartbeat: beat(3) }, database, NOW).kind).toBe('continue');
    expect(merge({ list: listOf(a, b), heartbeat: beat(3) }, database, NOW).kind).toBe('refill');
  });

  it.each([
    ['empty', [], undefined],
    ['without a heartbeat', [a, b, c], undefined],
    ['lacking an entry', [a, c], beat(3)],
    ['of an older generation', [a, b, c], beat(3, 4)],
  ])('refills a bucket that is %s', (_name, entries, heartbeat) => {
    const database = { list: listOf(a, b, c), generation: 5, sequence: 3 };
    expect(merge({ list: listOf(...entries), heartbeat }, database, NOW)).toEqual({
      kind: 'refill',
      generation: 1_000_000,
    });
  });

  it('takes over an entry of the bucket that the database has lost, whatever its number', () => {
    const database = { list: listOf(a, c), generation: 5, sequence: 3 };
    expect(merge({ list: listOf(a, b, c), heartbeat: beat(3) }, database, NOW)).toEqual({
      kind: 'restore',
      generation: 1_000_000,
      floor: 3,
      adopt: [{ kind: 'device', value: 'b', mode: 'deny', reason: 'test' }],
      withdraw: [],
      drop: [],
    });
  });

  it('takes from the bucket what a restored database lacks, and withdraws what was withdrawn since', () => {
    const bucket = {
      list: listOf(
        a,
        entry('b', 5, { removed: true }),
        entry('d', 6),
        entry('ended', 7, { until: new Date(1).toISOString() }),
        entry('e', 8, { until: new Date(NOW.getTime() + 1).toISOString() }),
      ),
      heartbeat: beat(8, 2_000_000),
    };
    expect(merge(bucket, { list: listOf(a, b), generation: 5, sequence: 2 }, NOW)).toEqual({
      kind: 'restore',
      generation: 2_000_001,
      floor: 8,
      adopt: [
        { kind: 'device', value: 'd', mode: 'deny', reason: 'test' },
        { kind: 'device', value: 'e', mode: 'deny', reason: 'test', until: new Date(NOW.getTime() + 1) },
      ],
      withdraw: [{ kind: 'device', value: 'b' }],
      drop: [{ kind: 'device', value: 'ended' }],
    });
  });
});

describe('a restored database that has gone on before its writer takes over', () => {
  const later = new Date(NOW.getTime() + 1000).toISOString();
  const adopted = (inBucket: DenylistEntry, inDatabase: DenylistEntry) => {
    // `lost` is how it shows that the database is older.
    const bucket = { list: listOf(inBucket, entry('lost', 6)), heartbeat: beat(6) };
    const list = listOf(inDatabase, entry('since', 20));
    const verdict = merge(bucket, { list, generation: 5, sequence: 20 }, NOW);
    if (verdict.kind !== 'restore') throw new Error(verdict.kind);
    return verdict.adopt.filter(({ value }) => value === 'd').length === 1;
  };

  it.each<[string, Partial<DenylistEntry>, Partial<DenylistEntry>]>([
    ['harder', {}, { mode: 'recovery' }],
    ['there alone', {}, { removed: true }],
    ['there alone, the other over', {}, { until: new Date(1).toISOString() }],
    ['longer', {}, { until: later }],
    ['for another reason', { reason: 'keyCompromise' }, { reason: 'blocked' }],
  ])('takes over an entry of the bucket that is %s, whatever their numbers', (_name, inBucket, inDatabase) => {
    expect(adopted(entry('d', 5, inBucket), entry('d', 19, inDatabase))).toBe(true);
  });

  it.each<[string, Partial<DenylistEntry>, Partial<DenylistEntry>]>([
    ['the same', {}, {}],
    ['milder', { mode: 'recovery', reason: 'blocked' }, {}],
    ['shorter', { until: later }, {}],
    ['over', { until: new Date(1).toISOString() }, { mode: 'recovery' }],
  ])('leaves one that is %s', (_name, inBucket, inDatabase) => {
    expect(adopted(entry('d', 5, inBucket), entry('d', 19, inDatabase))).toBe(false);
  });
});

describe('nextGeneration', () => {
  it('is above all that is known and not below the clock', () => {
    expect(nextGeneration([1, 2], NOW)).toBe(1_000_000);
    expect(nextGeneration([1, 5_000_000], NOW)).toBe(5_000_001);
  });
});
