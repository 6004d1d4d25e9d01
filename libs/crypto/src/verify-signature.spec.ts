import { createHash, createPublicKey, generateKeyPairSync, sign as nodeSign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import fc from 'fast-check';
import { derToP1363 } from './ecdsa-form.js';
import { sign, signDer } from './sign.js';
import { verificationKey, verificationKeyOf } from './verification-key.js';
import { verifySignature } from './verify-signature.js';

const PAIRS = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const ALGORITHMS = ['ES256', 'ES384', 'EdDSA'] as const;

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKeyDer: string;
    readonly tests: readonly {
      tcId: number;
      comment: string;
      msg: string;
      sig: string;
      result: 'valid' | 'invalid' | 'acceptable';
    }[];
  }[];
}

const folder = fileURLToPath(new URL('../../../../shared/vectors/wycheproof', import.meta.url));

describe.each([
  ['ecdsa_secp256r1_sha256_test.json', 'der'],
  ['ecdsa_secp256r1_sha256_p1363_test.json', 'p1363'],
])('wycheproof %s', (file, form) => {
  const path = `${folder}/${file}`;
  const present = existsSync(path);

  (present ? it : it.skip)(
    `gives every vector's verdict${present ? '' : ` (absent: ../shared/vectors/wycheproof/${file})`}`,
    () => {
      const { testGroups } = JSON.parse(readFileSync(path, 'utf8')) as Wycheproof;
      const wrong: string[] = [];
      let count = 0;
      for (const group of testGroups) {
        const key = verificationKey(Buffer.from(group.publicKeyDer, 'hex'));
        for (const { tcId, comment, msg, sig, result } of group.tests) {
          count++;
          const signature = Buffer.from(sig, 'hex');
          const ok = verifySignature(key, Buffer.from(msg, 'hex'), signature);
          if (ok !== (result === 'valid')) wrong.push(`${tcId} ${comment}: ${ok}, expected ${result}`);
          if (form === 'der' && ok && !derToP1363(signature, 'ES256'))
            wrong.push(`${tcId} ${comment}: accepted though not DER`);
        }
      }
      expect(wrong).toEqual([]);
      expect(count).toBeGreaterThan(200);
    },
  );
});

describe.each(ALGORITHMS)('verifySignature with %s', (algorithm) => {
  const { publicKey, privateKey } = PAIRS[algorithm];
  const key = verificationKeyOf(publicKey);

  it('takes its own signatures in both forms, and no message, signature or key that differs in a bit', () => {
    const others = ALGORITHMS.filter((other) => other !== algorithm).map((other) =>
      verificationKeyOf(PAIRS[other].publicKey),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), fc.boolean(), (message, bit, asDer) => {
        const signature = asDer ? signDer(privateKey, message) : sign(privateKey, message);
        expect(verifySignature(key, message, signature)).toBe(true);
        expect(verifySignature(key, message, new Uint8Array(signature))).toBe(true);
        expect(verifySignature(key, message, flip(signature, bit))).toBe(false);
        if (message.length > 0) expect(verifySignature(key, flip(message, bit), signature)).toBe(false);
        for (const other of others) expect(verifySignature(other, message, signature)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it('gives a verdict for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 140 }), (signature) => {
        expect(verifySignature(key, Buffer.from('message'), signature)).toBe(false);
      }),
      { numRuns: 300 },
    );
    for (const length of [64, 96]) {
      for (const fill of [0, 1, 0x7f, 0x80, 0xff]) {
        expect(verifySignature(key, Buffer.alloc(0), Buffer.alloc(length, fill))).toBe(false);
      }
    }
  });
});

describe('verifySignature with Ed25519, strictly', () => {
  const message = Buffer.from('message');
  const { publicKey, privateKey } = PAIRS.EdDSA;
  const key = verificationKeyOf(publicKey);
  const spki = (raw: string) =>
    Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(raw, 'hex')]);
  const order = (1n << 252n) + 27742317777372353535851937790883648493n;

  it('refuses S + L, which a lax verifier would take', () => {
    const signature = nodeSign(null, message, privateKey);
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
    const shifted = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
    expect(verifySignature(key, message, Buffer.concat([signature.subarray(0, 32), shifted]))).toBe(false);
  });

  test.each([
    ['the identity', `01${'00'.repeat(31)}`],
    ['order 2', `ec${'ff'.repeat(30)}7f`],
    ['order 4', '00'.repeat(32)],
    ['order 4, other sign', `${'00'.repeat(31)}80`],
    ['order 8', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
    ['order 8, second', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
    ['the identity, not canonical', `ee${'ff'.repeat(30)}7f`],
    ['order 4, not canonical', `ed${'ff'.repeat(30)}7f`],
  ])('refuses a public key of small order: %s', (_name, raw) => {
    // with A of small order, R = the identity and S = 0 satisfy the cofactored equation for every message
    const forged = Buffer.concat([Buffer.from(`01${'00'.repeat(31)}`, 'hex'), Buffer.alloc(32)]);
    const accepted = [...Array(64).keys()].filter((n) =>
      verifySignature(verificationKey(spki(raw)), Buffer.from([n]), forged),
    );
    expect(accepted).toEqual([]);
  });
});

describe('an Ed25519 signature made by hand (RFC 8032 §5.1.6)', () => {
  const order = (1n << 252n) + 27742317777372353535851937790883648493n;
  const { privateKey, publicKey } = PAIRS.EdDSA;
  const key = verificationKeyOf(publicKey);
  const message = Buffer.from('message');
  const little = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  const sha512 = (...parts: Uint8Array[]): Buffer => createHash('sha512').update(Buffer.concat(parts)).digest();
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d!, 'base64url');
  const secret = sha512(seed);
  const clamped = Buffer.from(secret.subarray(0, 32));
  clamped[0]! &= 248;
  clamped[31] = (clamped[31]! & 63) | 64;

  /** S = r + H(R, A, M) * a, so that S * B = R + H * A for the R of that r. */
  function signatureOf(bigR: Uint8Array, r: bigint): Buffer {
    const s = (r + (little(sha512(bigR, key.raw!, message)) % order) * little(clamped)) % order;
    return Buffer.concat([bigR, Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()]);
  }

  it('is taken with the right r: the arithmetic here is that of the RFC', () => {
    const real = nodeSign(null, message, privateKey);
    const r = little(sha512(secret.subarray(32), message)) % order;
    expect(signatureOf(real.subarray(0, 32), r)).toEqual(real);
    expect(verifySignature(key, message, signatureOf(real.subarray(0, 32), r))).toBe(true);
  });

  it('is refused with R of small order, though the equation holds', () => {
    const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
    expect(verifySignature(key, message, signatureOf(identity, 0n))).toBe(false);
  });
});

describe('verificationKey', () => {
  it('names a key the same from DER, from a public and from a private KeyObject', () => {
    for (const algorithm of ALGORITHMS) {
      const { publicKey, privateKey } = PAIRS[algorithm];
      const key = verificationKey(publicKey.export({ type: 'spki', format: 'der' }));
      expect(key.algorithm).toBe(algorithm);
      expect(key.raw?.length).toBe(algorithm === 'EdDSA' ? 32 : undefined);
      expect(verificationKeyOf(privateKey).keyThumbprint).toBe(key.keyThumbprint);
    }
  });

  const p256 = PAIRS.ES256.publicKey.export({ type: 'spki', format: 'der' });
  const x = p256.subarray(27, 59);
  const compressed = Buffer.concat([
    Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
    Buffer.from([2 + (p256[90]! & 1)]),
    x,
  ]);

  test.each([
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' })],
    ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({ type: 'spki', format: 'der' })],
    [
      'secp256k1',
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ type: 'spki', format: 'der' }),
    ],
    ['X25519', generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'der' })],
    ['Ed448', generateKeyPairSync('ed448').publicKey.export({ type: 'spki', format: 'der' })],
    ['a compressed point', compressed],
    ['a trailing byte', Buffer.concat([p256, Buffer.alloc(1)])],
    ['a point off the curve', flip(p256, 8 * 90)],
    ['the point 0, 0', Buffer.concat([p256.subarray(0, 27), Buffer.alloc(64)])],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', (_name, spkiDer) => {
    expect(() => verificationKey(spkiDer)).toThrow(DomainError);
  });

  it('would else have let one key pass under two names: OpenSSL reads the compressed point as the same key', () => {
    const same = createPublicKey({ key: compressed, type: 'spki', format: 'der' });
    expect(same.export({ format: 'jwk' })).toEqual(PAIRS.ES256.publicKey.export({ format: 'jwk' }));
    expect(() => verificationKeyOf(same)).toThrow(DomainError);
  });
});

function flip(bytes: Uint8Array, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  const at = bit % (flipped.length * 8);
  flipped[at >>> 3]! ^= 1 << (at & 7);
  return flipped;
}
