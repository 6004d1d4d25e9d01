import { describe, expect, it, test } from '@jest/globals';
import { type ClaimSource, effectiveEntry, type SourcedClaim, sameEntry } from './claim.js';

const NOW = new Date('2026-03-01T00:00:00Z');
const LATER = new Date('2026-03-02T00:00:00Z');
const EARLIER = new Date('2026-02-01T00:00:00Z');

function claim(source: ClaimSource, more: Partial<SourcedClaim> = {}): SourcedClaim {
  return { kind: 'device', value: 'device-1', source, mode: 'deny', reason: source, ...more };
}

describe('effectiveEntry', () => {
  test.each<[string, SourcedClaim[], object | undefined]>([
    ['nothing without a claim', [], undefined],
    ['nothing once all have ended', [claim('request', { until: EARLIER })], undefined],
    [
      'deny over recovery',
      [claim('request', { mode: 'recovery' }), claim('revoke')],
      { mode: 'deny', reason: 'revoke' },
    ],
    [
      'recovery once the denial has ended',
      [claim('request', { mode: 'recovery' }), claim('superseded', { until: EARLIER })],
      { mode: 'recovery', reason: 'request' },
    ],
    [
      'the end of the longer, the reason of the graver: a block hides no supersession',
      [claim('superseded', { until: LATER }), claim('request')],
      { reason: 'superseded', until: undefined },
    ],
    [
      'nor does a hold, or what was found in the bucket and can be lifted',
      [claim('superseded', { until: LATER }), claim('hold'), claim('bucket', { reason: 'blocked' })],
      { reason: 'superseded', until: undefined },
    ],
    [
      'the later of two ends',
      [claim('superseded', { until: LATER }), claim('revoke', { until: new Date(LATER.getTime() - 1) })],
      { reason: 'revoke', until: LATER },
    ],
    ['the graver of two alike', [claim('request'), claim('revoke')], { reason: 'revoke' }],
  ])('%s', (_name, claims, expected) => {
    for (const order of [claims, [...claims].reverse()]) {
      const entry = effectiveEntry(order, NOW);
      if (expected === undefined) expect(entry).toBeUndefined();
      else expect(entry).toMatchObject(expected);
    }
  });
});

describe('sameEntry', () => {
  it('looks at what a reader would see', () => {
    expect(sameEntry(undefined, undefined)).toBe(true);
    expect(sameEntry(claim('revoke'), undefined)).toBe(false);
    expect(sameEntry(claim('revoke', { until: LATER }), claim('revoke', { until: new Date(LATER) }))).toBe(true);
    expect(sameEntry(claim('revoke', { until: LATER }), claim('revoke'))).toBe(false);
  });
});
