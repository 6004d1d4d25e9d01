import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import {
  type CoseSign1,
  coseToBeSigned,
  encodeCbor,
  encodeCoseSign1,
  parseCoseSign1,
} from '@outrider/canonicalization';
import { DomainError } from '@outrider/errors';
import fc from 'fast-check';
import { signCoseSign1, verifyCoseSign1 } from './cose.js';
import { sign, signDer } from './sign.js';
import { verificationKeyOf } from './verification-key.js';

const MAX = 10_000;
const AAD = 'outrider/telemetry/v1';
const PAIRS = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const { publicKey, privateKey } = PAIRS.ES256;
const key = verificationKeyOf(publicKey);
const payload = encodeCbor({ seq: 1 });

type Headers = Map<number | string, unknown>;
interface Made {
  readonly protectedHeaders?: Headers;
  readonly protectedBytes?: Uint8Array;
  readonly unprotectedHeaders?: Headers;
  readonly aad?: string;
  readonly der?: boolean;
}

/** One with any headers, well signed by the P-256 key. */
function made({
  protectedHeaders = new Map([[1, -7]]),
  unprotectedHeaders = new Map(),
  aad = AAD,
  ...more
}: Made): CoseSign1 {
  const protectedBytes =
    more.protectedBytes ?? (protectedHeaders.size === 0 ? Buffer.alloc(0) : encodeCbor(protectedHeaders));
  const parts = { protectedBytes, protectedHeaders, payload } as Pick<
    CoseSign1,
    'protectedBytes' | 'protectedHeaders' | 'payload'
  >;
  const signature = (more.der ? signDer : sign)(privateKey, coseToBeSigned(parts, Buffer.from(aad)));
  const bytes = encodeCoseSign1({ ...parts, tagged: true, unprotectedHeaders, signature } as CoseSign1);
  return parseCoseSign1(bytes, MAX);
}

const verdict = (cose: CoseSign1) => {
  const result = verifyCoseSign1(cose, key, { externalAad: AAD });
  return result.ok ? 'ok' : result.reason;
};

describe('signCoseSign1 and verifyCoseSign1', () => {
  it('round-trip every payload with each kind of key, and verify under no other key, context or byte', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(...Object.values(PAIRS)),
        fc.boolean(),
        fc.nat(),
        (bytes, pair, tagged, bit) => {
          const cose = signCoseSign1({ payload: bytes, key: pair.privateKey, externalAad: AAD, tagged });
          expect(cose[0] === 0xd2).toBe(tagged);
          const parsed = parseCoseSign1(cose, MAX);
          expect(new Uint8Array(parsed.payload)).toEqual(bytes);
          for (const other of Object.values(PAIRS)) {
            const result = verifyCoseSign1(parsed, verificationKeyOf(other.publicKey), { externalAad: AAD });
            expect(result.ok).toBe(other === pair);
          }
          const own = verificationKeyOf(pair.publicKey);
          expect(verifyCoseSign1(parsed, own, { externalAad: 'outrider/telemetry-batch/v1' }).ok).toBe(false);
          const flipped = Buffer.from(cose);
          flipped[(bit >>> 3) % flipped.length]! ^= 1 << (bit & 7);
          expect(takes(flipped, pair.publicKey)).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each<[string, Made, string]>([
    ['ES256', {}, 'ok'],
    ['ES256 by its fully specified name', { protectedHeaders: new Map([[1, -9]]) }, 'ok'],
    ['a key id beside', { unprotectedHeaders: new Map([[4, Buffer.from('a')]]) }, 'ok'],
    [
      'headers that are not known, protected or not',
      {
        protectedHeaders: new Map<number | string, unknown>([
          [1, -7],
          ['x', [1, { a: null }]],
        ]),
        unprotectedHeaders: new Map([[99, 'y']]),
      },
      'ok',
    ],
    [
      'a critical header that is known',
      {
        protectedHeaders: new Map<number, unknown>([
          [1, -7],
          [2, [1, 4]],
          [4, Buffer.from('a')],
        ]),
      },
      'ok',
    ],
    ['no alg', { protectedHeaders: new Map() }, 'alg_missing'],
    [
      'alg that is not protected',
      { protectedHeaders: new Map(), unprotectedHeaders: new Map([[1, -7]]) },
      'alg_missing',
    ],
    ['EdDSA for a P-256 key', { protectedHeaders: new Map([[1, -8]]) }, 'alg_mismatch'],
    ['ES384 for a P-256 key', { protectedHeaders: new Map([[1, -35]]) }, 'alg_mismatch'],
    ['HMAC', { protectedHeaders: new Map([[1, 5]]) }, 'alg_mismatch'],
    ['alg as text', { protectedHeaders: new Map([[1, 'ES256']]) }, 'alg_mismatch'],
    [
      'a critical header that is not known',
      {
        protectedHeaders: new Map<number | string, unknown>([
          [1, -7],
          [2, ['x']],
          ['x', 1],
        ]),
      },
      'critical_header',
    ],
    [
      'a critical header that is not there',
      {
        protectedHeaders: new Map<number, unknown>([
          [1, -7],
          [2, [4]],
        ]),
      },
      'critical_header',
    ],
    [
      'a critical header that is not protected',
      {
        protectedHeaders: new Map<number, unknown>([
          [1, -7],
          [2, [4]],
        ]),
        unprotectedHeaders: new Map([[4, Buffer.from('a')]]),
      },
      'critical_header',
    ],
    [
      'crit of nothing',
      {
        protectedHeaders: new Map<number, unknown>([
          [1, -7],
          [2, []],
        ]),
      },
      'critical_header',
    ],
    [
      'crit that is no list',
      {
        protectedHeaders: new Map<number, unknown>([
          [1, -7],
          [2, 1],
        ]),
      },
      'critical_header',
    ],
    ['crit that is not protected', { unprotectedHeaders: new Map([[2, [1]]]) }, 'critical_header'],
    ['another context', { aad: 'outrider/log-segment/v1' }, 'bad_signature'],
    ['no context', { aad: '' }, 'bad_signature'],
    ['a signature in DER', { der: true }, 'bad_signature'],
  ])('%s: %s', (_name, parts, expected) => {
    expect(verdict(made(parts))).toBe(expected);
  });

  it('signs no protected headers as an empty byte string, in whichever way they were left out', () => {
    const sent = made({
      protectedHeaders: new Map(),
      protectedBytes: Buffer.from([0xa0]),
      unprotectedHeaders: new Map([[1, -7]]),
    });
    expect(verdict(sent)).toBe('alg_missing');
    expect(verifyCoseSign1(sent, key, { externalAad: AAD, unprotectedAlgorithm: true })).toEqual({ ok: true });
  });
});

describe('parseCoseSign1', () => {
  const good = signCoseSign1({ payload, key: privateKey, externalAad: AAD, tagged: false });
  const of = (...parts: unknown[]) => encodeCbor(parts);
  const protectedBytes = encodeCbor(new Map([[1, -7]]));
  const signature = Buffer.alloc(64);

  test.each([
    ['tag 98', Buffer.concat([Buffer.from([0xd8, 98]), good])],
    ['the tag twice', Buffer.concat([Buffer.from([0xd2, 0xd2]), good])],
    ['three parts', of(protectedBytes, {}, payload)],
    ['five parts', of(protectedBytes, {}, payload, signature, 1)],
    ['no payload (detached)', of(protectedBytes, {}, null, signature)],
    ['a payload that is text', of(protectedBytes, {}, 'text', signature)],
    ['unprotected headers that are no map', of(protectedBytes, [], payload, signature)],
    ['protected headers that are no bytes', of({}, {}, payload, signature)],
    ['protected headers that hold no map', of(encodeCbor([1]), {}, payload, signature)],
    ['something behind the protected map', of(Buffer.concat([protectedBytes, protectedBytes]), {}, payload, signature)],
    ['a label in both maps', of(protectedBytes, new Map([[1, -7]]), payload, signature)],
    ['a label twice', of(Buffer.from('a201260126', 'hex'), {}, payload, signature)],
    ['a label of another type', of(Buffer.from('a1f626', 'hex'), {}, payload, signature)],
    ['headers nested deep', of(protectedBytes, new Map([[9, [[[[[[1]]]]]]]]), payload, signature)],
    ['a length longer than it need be', Buffer.concat([Buffer.from([0x98, 4]), good.subarray(1)])],
    ['an indefinite length', Buffer.concat([Buffer.from([0x9f]), good.subarray(1), Buffer.from([0xff])])],
    ['a byte after it', Buffer.concat([good, Buffer.alloc(1)])],
    ['nothing', Buffer.alloc(0)],
    ['JSON', Buffer.from('{"payload":{}}')],
  ])('refuses %s', (_name, bytes) => {
    expect(codeOf(() => parseCoseSign1(bytes, MAX))).toBe('request.malformed');
  });

  it('refuses every prefix of a good one, and one that is too large', () => {
    for (let length = 0; length < good.length; length++)
      expect(codeOf(() => parseCoseSign1(good.subarray(0, length), MAX))).toBe('request.malformed');
    expect(codeOf(() => parseCoseSign1(good, good.length - 1))).toBe('request.too_large');
    expect(codeOf(() => parseCoseSign1(good, good.length))).toBe('ok');
  });
});

function takes(bytes: Buffer, verifier: typeof publicKey): boolean {
  try {
    const parsed = parseCoseSign1(bytes, MAX);
    return verifyCoseSign1(parsed, verificationKeyOf(verifier), { externalAad: AAD }).ok;
  } catch (error) {
    if (error instanceof DomainError) return false;
    throw error;
  }
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'ok';
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}
