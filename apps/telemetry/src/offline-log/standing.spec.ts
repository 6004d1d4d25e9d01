import { generateKeyPairSync } from 'node:crypto';
import { expect, it, test } from '@jest/globals';
import { verificationKeyOf } from '@outrider/crypto';
import { Thumbprint } from '@outrider/ids';
import { type ReceivedHead, type Standing, signerNow, standingOf } from './standing.js';
import type { LogSigner } from './verify-log.js';

const REVOKED_AT = 5_000;
const signer = (standing: LogSigner['standing']): LogSigner => ({
  thumbprint: Thumbprint.parse('A'.repeat(43)),
  key: verificationKeyOf(generateKeyPairSync('ed25519').publicKey),
  validity: { notBeforeMs: 0, notAfterMs: 10_000 },
  standing,
});
const revoked = signer({ status: 'revoked', revokedAtMs: REVOKED_AT });
const chain = new Map([
  [1, 'a'],
  [2, 'b'],
  [3, 'c'],
]);
const head = (segment: number, sha256: string, receivedAtMs: number): ReceivedHead => ({
  segment,
  sha256,
  receivedAtMs,
});

test.each<[string, LogSigner, ReceivedHead[], Standing]>([
  ['of a live certificate', signer({ status: 'live' }), [], 'trusted'],
  ['of a superseded one', signer({ status: 'superseded', supersededAtMs: 1 }), [], 'trusted'],
  ['of a revoked one, with nothing received', revoked, [], 'unanchored'],
  ['whose own head had been received before', revoked, [head(2, 'b', REVOKED_AT - 1)], 'trusted'],
  ['with a later head received before', revoked, [head(3, 'c', REVOKED_AT - 1)], 'trusted'],
  ['with an earlier head only', revoked, [head(1, 'a', 1)], 'unanchored'],
  ['with a later head received at the moment of the revocation', revoked, [head(3, 'c', REVOKED_AT)], 'unanchored'],
  ['with a later head of another chain', revoked, [head(3, 'x', 1)], 'unanchored'],
  ['with a later head that the delivery does not reach', revoked, [head(4, 'd', 1)], 'unanchored'],
  ['of one revoked nobody knows when', signer({ status: 'revoked' }), [head(3, 'c', 1)], 'unanchored'],
])('a segment %s', (_name, by, heads, expected) => {
  expect(standingOf(2, by, chain, heads)).toBe(expected);
});

it('says what became of the certificate since', () => {
  expect(signerNow(revoked, 1)).toBe('revoked');
  expect(signerNow(signer({ status: 'superseded' }), 1)).toBe('superseded');
  expect(signerNow(signer({ status: 'live' }), 10_001)).toBe('expired');
  expect(signerNow(signer({ status: 'live' }), 10_000)).toBe('live');
});
