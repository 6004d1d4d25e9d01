import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { type CertificateStanding, mayHaveSigned } from './may-have-signed.js';

const validity = { notBeforeMs: 1_000, notAfterMs: 9_000 };

describe('mayHaveSigned', () => {
  test.each<[string, CertificateStanding, number, string | undefined]>([
    ['a live one, in its time', { status: 'live' }, 5_000, undefined],
    ['a pending one, in its time', { status: 'pending' }, 5_000, undefined],
    ['the first moment', { status: 'live' }, 1_000, undefined],
    ['the last moment', { status: 'live' }, 9_000, undefined],
    ['before its time', { status: 'live' }, 999, 'not_yet_valid'],
    ['after its time', { status: 'live' }, 9_001, 'expired'],
    ['superseded later', { status: 'superseded', supersededAtMs: 6_000 }, 5_999, undefined],
    ['superseded then', { status: 'superseded', supersededAtMs: 6_000 }, 6_000, 'superseded'],
    ['revoked later', { status: 'revoked', revokedAtMs: 6_000 }, 5_999, undefined],
    ['revoked then', { status: 'revoked', revokedAtMs: 6_000 }, 6_000, 'revoked'],
    ['revoked, nobody knows when', { status: 'revoked' }, 5_000, 'revoked'],
    ['superseded, then revoked', { status: 'revoked', supersededAtMs: 3_000, revokedAtMs: 6_000 }, 5_000, 'superseded'],
    ['superseded and revoked', { status: 'revoked', supersededAtMs: 3_000, revokedAtMs: 6_000 }, 7_000, 'revoked'],
    ['revoked after it had expired', { status: 'revoked', revokedAtMs: 20_000 }, 5_000, undefined],
  ])('%s', (_name, standing, atMs, expected) => {
    expect(mayHaveSigned(validity, standing, atMs)).toBe(expected);
  });

  it('never takes a moment outside the validity or from the revocation on', () => {
    const moment = fc.integer({ min: 0, max: 12_000 });
    fc.assert(
      fc.property(moment, moment, (atMs, revokedAtMs) => {
        const unfit = mayHaveSigned(validity, { status: 'revoked', revokedAtMs }, atMs);
        expect(unfit === undefined).toBe(atMs >= 1_000 && atMs <= 9_000 && atMs < revokedAtMs);
      }),
    );
  });
});
