import { createHmac, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import fc from 'fast-check';
import { JWS_TYP } from './contexts.js';
import { type JwsExpectation, parseFlattenedJws, parseJws, signJws, verifyJws } from './jws.js';
import { sign, signDer } from './sign.js';
import { verificationKeyOf } from './verification-key.js';

const pairs = [
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  generateKeyPairSync('ed25519'),
];
const [es256] = pairs as [(typeof pairs)[0]];
const key = verificationKeyOf(es256.publicKey);
const accessToken: JwsExpectation = { typ: JWS_TYP.accessToken, allowedHeaders: ['kid'] };
const MAX = 8_192;

/** A JWS with any header, well signed unless `signWith` says otherwise. */
function compact(
  header: unknown,
  signWith = (input: Buffer): Buffer => sign(es256.privateKey, input),
  payload = '{}',
): string {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  const input = `${Buffer.from(text).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`;
  return `${input}.${signWith(Buffer.from(input)).toString('base64url')}`;
}

describe('signJws and verifyJws', () => {
  it('round-trip every payload with each kind of key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...pairs), (payload, pair) => {
        const parsed = parseJws(signJws({ header: { typ: 'at+jwt', kid: 'a' }, payload, key: pair.privateKey }), MAX);
        expect(new Uint8Array(parsed.payload)).toEqual(payload);
        expect(verifyJws(parsed, verificationKeyOf(pair.publicKey), accessToken)).toEqual({ ok: true });
      }),
      { numRuns: 60 },
    );
  });

  it('lets no header choose the algorithm when signing', () => {
    const parsed = parseJws(
      signJws({ header: { typ: 'at+jwt', alg: 'none' }, payload: '{}', key: es256.privateKey }),
      MAX,
    );
    expect(parsed.header.alg).toBe('ES256');
  });

  const good = { alg: 'ES256', typ: 'at+jwt' };
  const spki = es256.publicKey.export({ type: 'spki', format: 'pem' });
  const hmac = (input: Buffer): Buffer => createHmac('sha256', spki).update(input).digest();

  test.each<[string, string, string]>([
    ['alg none without signature', compact({ ...good, alg: 'none' }, () => Buffer.alloc(0)), 'alg_mismatch'],
    ['alg None', compact({ ...good, alg: 'None' }), 'alg_mismatch'],
    ['HS256 keyed with the public key', compact({ ...good, alg: 'HS256' }, hmac), 'alg_mismatch'],
    ['another curve', compact({ ...good, alg: 'ES384' }), 'alg_mismatch'],
    ['no alg', compact({ typ: 'at+jwt' }), 'alg_mismatch'],
    ['no typ', compact({ alg: 'ES256' }), 'typ_mismatch'],
    ['another context', compact({ ...good, typ: 'dpop+jwt' }), 'typ_mismatch'],
    ['the context in another case', compact({ ...good, typ: 'AT+JWT' }), 'typ_mismatch'],
    ['the context with its media type prefix', compact({ ...good, typ: 'application/at+jwt' }), 'typ_mismatch'],
    ['crit', compact({ ...good, crit: [] }), 'header_not_allowed'],
    ['b64', compact({ ...good, b64: false }), 'header_not_allowed'],
    ['jku', compact({ ...good, jku: 'https://evil.example/keys' }), 'header_not_allowed'],
    ['jwk', compact({ ...good, jwk: {} }), 'header_not_allowed'],
    ['x5u', compact({ ...good, x5u: 'https://evil.example/cert' }), 'header_not_allowed'],
    ['x5c, not listed', compact({ ...good, x5c: [] }), 'header_not_allowed'],
    ['__proto__', compact('{"alg":"ES256","typ":"at+jwt","__proto__":{}}'), 'header_not_allowed'],
    ['a member of any other name', compact({ ...good, zip: 'DEF' }), 'header_not_allowed'],
    ['DER instead of r || s', compact(good, (input) => signDer(es256.privateKey, input)), 'bad_signature'],
    ['zeros', compact(good, () => Buffer.alloc(64)), 'bad_signature'],
    ['no signature', compact(good, () => Buffer.alloc(0)), 'bad_signature'],
    ['a signature over other bytes', compact(good, () => sign(es256.privateKey, Buffer.from('a'))), 'bad_signature'],
  ])('refuses %s', (_name, jws, reason) => {
    expect(verifyJws(parseJws(jws, MAX), key, accessToken)).toEqual({ ok: false, reason });
  });

  it('takes jwk in a DPoP proof alone, even where it is listed', () => {
    const allowedHeaders = ['jwk'] as const;
    const proof = parseJws(compact({ alg: 'ES256', typ: 'dpop+jwt', jwk: {} }), MAX);
    const token = parseJws(compact({ ...good, jwk: {} }), MAX);
    expect(verifyJws(proof, key, { typ: 'dpop+jwt', allowedHeaders })).toEqual({ ok: true });
    expect(verifyJws(token, key, { typ: 'at+jwt', allowedHeaders })).toEqual({
      ok: false,
      reason: 'header_not_allowed',
    });
  });
});

describe('parseJws', () => {
  const valid = compact({ alg: 'ES256', typ: 'at+jwt' });
  const [header, payload, signature] = valid.split('.') as [string, string, string];

  test.each<[string, string]>([
    ['nothing', ''],
    ['two parts', `${header}.${payload}`],
    ['four parts', `${valid}.`],
    ['five parts, as in JWE', `${valid}.a.b`],
    ['padding', `${header}.${payload}.${signature}==`],
    ['base64 instead of base64url', `${header}.${payload}.${'+'.repeat(86)}`],
    ['white space', `${header}.${payload} .${signature}`],
    ['unused bits set: the same bytes spelt otherwise', `${header}.e31.${signature}`],
    ['a header that is no JSON', compact('{alg}')],
    ['a header that is an array', compact('[]')],
    ['alg twice', compact('{"alg":"none","alg":"ES256","typ":"at+jwt"}')],
    ['alg twice, once escaped', compact('{"\\u0061lg":"none","alg":"ES256","typ":"at+jwt"}')],
    ['bytes after the header', compact('{"alg":"ES256","typ":"at+jwt"} x')],
    ['a deep header', compact(`{"a":${'['.repeat(100)}${']'.repeat(100)}}`)],
  ])('refuses %s', (_name, text) => {
    expect(() => parseJws(text, MAX)).toThrow(expect.objectContaining({ code: 'request.malformed' }));
  });

  it('measures before it decodes', () => {
    expect(() => parseJws(valid, valid.length - 1)).toThrow(expect.objectContaining({ code: 'request.too_large' }));
    expect(parseJws(valid, valid.length).header.alg).toBe('ES256');
  });

  it('throws nothing but a DomainError, whatever comes', () => {
    const character = fc.constantFrom(...'abeyJ0._-=+ \u00e9');
    fc.assert(
      fc.property(
        fc.array(character, { maxLength: 60 }).map((characters) => characters.join('')),
        (text) => {
          try {
            parseJws(text, MAX);
          } catch (error) {
            expect(error).toBeInstanceOf(DomainError);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('a flattened JWS (RFC 7515 §7.2.2)', () => {
  const ed25519 = pairs[2]!;
  const expectation: JwsExpectation = { typ: JWS_TYP.telemetry, allowedHeaders: ['kid', 'x5t#S256'] };
  const header = Buffer.from(JSON.stringify({ alg: 'Ed25519', typ: JWS_TYP.telemetry })).toString('base64url');
  const body = Buffer.from('{}').toString('base64url');
  const signature = sign(ed25519.privateKey, Buffer.from(`${header}.${body}`)).toString('base64url');
  const good = { protected: header, payload: body, signature };
  const codeOf = (work: () => unknown) => {
    try {
      work();
      return 'ok';
    } catch (error) {
      if (error instanceof DomainError) return error.code;
      throw error;
    }
  };

  it('verifies as its compact form does, a key named in the unprotected header or not', () => {
    const verifier = verificationKeyOf(ed25519.publicKey);
    expect(verifyJws(parseFlattenedJws(good), verifier, expectation)).toEqual({ ok: true });
    expect(verifyJws(parseJws(`${header}.${body}.${signature}`, MAX), verifier, expectation)).toEqual({ ok: true });
    const named = parseFlattenedJws({ ...good, header: { kid: 'a' } });
    expect(named.header.kid).toBe('a');
    expect(verifyJws(named, verifier, expectation)).toEqual({ ok: true });
    expect(verifyJws(parseFlattenedJws(good), key, expectation)).toEqual({ ok: false, reason: 'alg_mismatch' });
  });

  test.each([
    ['alg in the unprotected header', { header: { alg: 'EdDSA' } }],
    ['typ in both', { header: { typ: JWS_TYP.telemetry } }],
    ['crit in the unprotected header', { header: { crit: ['b64'] } }],
    ['a key in the unprotected header', { header: { jwk: {} } }],
    ['a payload that is no base64url', { payload: 'a+b/' }],
    ['a payload with padding', { payload: 'e30=' }],
    ['a protected header that is no JSON', { protected: 'AAAA' }],
  ])('refuses %s', (_name, more) => {
    expect(codeOf(() => parseFlattenedJws({ ...good, ...more }))).toBe('request.malformed');
  });
});
