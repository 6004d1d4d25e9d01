import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeSignature } from './decode-signature.js';
import { constantTimeEqual, sha256, sha256Base64url, sha256Hex } from './digest.js';
import { derToP1363, p1363ToDer } from './ecdsa-form.js';
import { ECDSA } from './key-algorithm.js';
import { sign, signDer } from './sign.js';

const PAIRS = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  EdDSA: generateKeyPairSync('ed25519'),
};

describe.each(['ES256', 'ES384', 'EdDSA'] as const)('decodeSignature of %s', (algorithm) => {
  it('reads hex of either case and base64url, of r || s and of DER, back to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (message) => {
        for (const bytes of [
          sign(PAIRS[algorithm].privateKey, message),
          signDer(PAIRS[algorithm].privateKey, message),
        ]) {
          for (const text of [
            bytes.toString('hex'),
            bytes.toString('hex').toUpperCase(),
            bytes.toString('base64url'),
          ]) {
            expect(decodeSignature(text, algorithm)).toEqual(bytes);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ['nothing', ''],
    ['one byte short', 'ab'.repeat(63)],
    ['one byte long', 'ab'.repeat(65)],
    ['half a byte more', `${'ab'.repeat(64)}a`],
    ['padding', `${'A'.repeat(86)}==`],
    ['unused bits set', `${'A'.repeat(85)}B`],
    ['base64, not base64url', `${'A'.repeat(85)}+`],
    ['no hex digit', 'z.'.repeat(64)],
    ['0x', `0x${'ab'.repeat(64)}`],
    ['a digit that is none in ASCII', `${'ab'.repeat(63)}a\uff11`],
    ['white space', ` ${'A'.repeat(84)} `],
    ['a megabyte', 'a'.repeat(1_048_576)],
    ['DER of nothing', '3000'],
    ['DER with a byte behind it', '300602010102010100'],
  ])('refuses %s', (_name, text) => {
    expect(decodeSignature(text, algorithm)).toBeUndefined();
  });
});

it('decodeSignature takes no DER for Ed25519, and no r || s of the other curve', () => {
  expect(decodeSignature('3006020101020101', 'EdDSA')).toBeUndefined();
  expect(decodeSignature('3006020101020101', 'ES256')).toEqual(Buffer.from('3006020101020101', 'hex'));
  expect(decodeSignature('ab'.repeat(96), 'ES256')).toBeUndefined();
  expect(decodeSignature('A'.repeat(86), 'ES384')).toBeUndefined();
});

describe('p1363ToDer and derToP1363', () => {
  const scalar = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes });
  const leadingZeros = (bytes: number) =>
    fc
      .tuple(scalar(bytes), fc.nat(bytes))
      .map(([digits, zeros]) => digits.map((digit, index) => (index < zeros ? 0 : digit)));

  test.each(['ES256', 'ES384'] as const)('are inverse for %s, and DER stays within its bound', (algorithm) => {
    const { scalarBytes, derMaxBytes } = ECDSA[algorithm];
    fc.assert(
      fc.property(leadingZeros(scalarBytes), leadingZeros(scalarBytes), (r, s) => {
        const signature = Buffer.concat([r, s]);
        const der = p1363ToDer(signature)!;
        expect(der.length).toBeLessThanOrEqual(derMaxBytes);
        expect(derToP1363(der, algorithm)).toEqual(signature);
      }),
      { numRuns: 500 },
    );
  });

  it('accepts one DER only for each r || s', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 14 }), (body) => {
        const der = Buffer.concat([Buffer.from([0x30, body.length, 2]), body]);
        const signature = derToP1363(der, 'ES256');
        if (signature) expect(p1363ToDer(signature)).toEqual(der);
      }),
      { numRuns: 5_000 },
    );
  });

  test.each([
    ['a long-form length', '30810602010102010 1'],
    ['an indefinite length', '3080020101020101 0000'],
    ['a negative integer', '3006020181020101'],
    ['a superfluous zero', '300702020001020101'],
    ['an empty integer', '30060200020201 01'],
    ['three integers', '3009020101020101020101'],
    ['one integer', '3006020401010101'],
    ['an outer length that is short', '3005020101020101'],
    ['an outer length that is long', '3007020101020101'],
    ['another tag', '3106020101020101'],
    ['another inner tag', '3006030101020101'],
    ['33 significant bytes', `3026022101${'00'.repeat(32)}020101`],
    ['nothing', ''],
  ])('derToP1363 refuses %s', (_name, hex) => {
    const der = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    expect(derToP1363(der, 'ES256')).toBeUndefined();
    expect(derToP1363(der, 'ES384')).toEqual(_name === '33 significant bytes' ? expect.any(Buffer) : undefined);
  });

  it('p1363ToDer refuses every other length', () => {
    for (let length = 0; length < 140; length++) {
      expect(p1363ToDer(Buffer.alloc(length, 1)) !== undefined).toBe(length === 64 || length === 96);
    }
  });
});

describe('digests', () => {
  it('are SHA-256 of "abc" (FIPS 180-4)', () => {
    const hex = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(sha256('abc').toString('hex')).toBe(hex);
    expect(sha256Hex(Buffer.from('abc'))).toBe(hex);
    expect(sha256Base64url('abc')).toBe(Buffer.from(hex, 'hex').toString('base64url'));
  });

  it('constantTimeEqual compares contents, of text and bytes alike', () => {
    expect(constantTimeEqual('é', Buffer.from('é'))).toBe(true);
    expect(constantTimeEqual('abc', 'abd')).toBe(false);
    expect(constantTimeEqual('abc', 'abcd')).toBe(false);
    expect(constantTimeEqual('', new Uint8Array(0))).toBe(true);
  });
});
