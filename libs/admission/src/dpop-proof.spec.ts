import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { JWS_TYP, sha256Base64url, signJws } from '@outrider/crypto';
import fc from 'fast-check';
import { dpopKey, jwkThumbprint } from './dpop-key.js';
import { dpopNonce, nonceWindow } from './dpop-nonce.js';
import { MAX_PROOF_BYTES, type ProofExpectation, verifyDpopProof } from './dpop-proof.js';

const NOW_MS = 1_763_900_030_000;
const NOW = NOW_MS / 1000;
const nonceKey = { key: Buffer.alloc(32, 7), service: 'telemetry' };
const expected: ProofExpectation = {
  method: 'POST',
  urls: ['https://127.0.0.1:8443/v1/messages', 'https://edge.example.com/v1/messages'],
  nonceKey,
  nowMs: NOW_MS,
};
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicJwk = (key: KeyObject = keys.publicKey) => {
  const { kty, crv, x, y } = key.export({ format: 'jwk' });
  return y === undefined ? { kty, crv, x } : { kty, crv, x, y };
};
const claims = () => ({
  jti: 'a'.repeat(22),
  htm: 'POST',
  htu: 'https://127.0.0.1:8443/v1/messages',
  iat: NOW,
  nonce: dpopNonce(nonceKey, NOW_MS),
});

function prove(changed: object = {}, header: object = {}, key: KeyObject = keys.privateKey): string {
  const all = { typ: JWS_TYP.dpop, jwk: publicJwk(), ...header };
  return signJws({ header: all, payload: JSON.stringify({ ...claims(), ...changed }), key });
}

function verdict(header: string | undefined, changed: Partial<ProofExpectation> = {}): string {
  const result = verifyDpopProof(header, { ...expected, ...changed });
  return result.ok ? 'ok' : `${result.code}: ${result.reason}`;
}

/** The proofs of RFC 9449 §4.1 and §7.1, and the thumbprint of their key (§6.1). */
const RFC = {
  token:
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg',
  resource:
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA',
  accessToken: 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU',
  jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
};

describe('the examples of RFC 9449, which have no nonce', () => {
  it.each<[string, string, Partial<ProofExpectation>, string]>([
    ['§4.1', RFC.token, { urls: ['https://server.example.com/token'] }, 'auth.dpop_nonce: no nonce'],
    ['§4.1 elsewhere', RFC.token, {}, 'auth.dpop_invalid: htu is another URL'],
    [
      '§7.1',
      RFC.resource,
      { method: 'GET', urls: ['https://resource.example.org/protectedresource'], accessToken: RFC.accessToken },
      'auth.dpop_nonce: no nonce',
    ],
    [
      '§7.1 with another token',
      RFC.resource,
      { method: 'GET', urls: ['https://resource.example.org/protectedresource'], accessToken: `${RFC.accessToken}x` },
      'auth.dpop_invalid: ath is not of this access token',
    ],
    ['§4.1 with its signature changed', RFC.token.replace('.2-Gx', '.2-Hx'), {}, 'auth.dpop_invalid: bad_signature'],
  ])('%s', (_name, proof, changed, said) => {
    expect(verdict(proof, changed)).toBe(said);
  });

  it('§6.1: the thumbprint of their key', () => {
    const header = JSON.parse(Buffer.from(RFC.token.split('.')[0]!, 'base64url').toString());
    expect(dpopKey(header.jwk)?.jkt).toBe(RFC.jkt);
  });
});

test('the thumbprint of RFC 8037 A.3', () => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } as const;
  expect(jwkThumbprint(jwk)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  expect(dpopKey(jwk)?.jkt).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
});

describe('a proof', () => {
  it.each([
    ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['Ed25519', generateKeyPairSync('ed25519')],
  ])('of a %s key is taken', (_name, { publicKey, privateKey }) => {
    expect(verdict(prove({}, { jwk: publicJwk(publicKey) }, privateKey))).toBe('ok');
  });

  it('says whose it is, what to remember it by, and until when', () => {
    const result = verifyDpopProof(prove(), expected);
    const { jkt } = dpopKey(publicJwk())!;
    const replayKey = sha256Base64url([jkt, claims().jti, claims().htm, claims().htu].join('\n'));
    const { keyThumbprint } = dpopKey(publicJwk())!.key;
    expect(result).toEqual({
      ok: true,
      proof: { jkt, keyThumbprint, replayKey, untilSeconds: 1_763_900_100, nonceCurrent: true },
    });
  });

  it('has one replay key however its URL is written', () => {
    const keyOf = (htu: string) => {
      const result = verifyDpopProof(prove({ htu }), expected);
      return result.ok ? result.proof.replayKey : result.reason;
    };
    const plain = keyOf('https://127.0.0.1:8443/v1/messages');
    expect(keyOf('HTTPS://127.0.0.1:8443/v1/messages?again=1#x')).toBe(plain);
    expect(keyOf('https://edge.example.com:443/v1/messages')).not.toBe(plain);
  });

  const long = 'x'.repeat(MAX_PROOF_BYTES);
  const iatFrom = Math.floor(NOW / 60) * 60;
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const privateJwk = keys.privateKey.export({ format: 'jwk' });
  it.each<[string, () => string | undefined, Partial<ProofExpectation>, string]>([
    ['none', () => undefined, {}, 'exactly one DPoP header'],
    ['two of them', () => `${prove()}, ${prove()}`, {}, 'exactly one DPoP header'],
    ['an empty one', () => '', {}, 'exactly one DPoP header'],
    ['too long', () => prove({ long }), {}, 'exactly one DPoP header'],
    ['padded', () => `${prove()}=`, {}, 'exactly one DPoP header'],
    ['of another typ', () => prove({}, { typ: JWS_TYP.accessToken }), {}, 'typ_mismatch'],
    ['with alg none', () => unsigned({ alg: 'none' }), {}, 'alg_mismatch'],
    ['with HS256', () => unsigned({ alg: 'HS256' }), {}, 'alg_mismatch'],
    ['with the alg of another key type', () => unsigned({ alg: 'ES384' }), {}, 'alg_mismatch'],
    [
      'with RSA',
      () => unsigned({ alg: 'RS256', jwk: rsa.publicKey.export({ format: 'jwk' }) }),
      {},
      'jwk is no public',
    ],
    ['with a symmetric key', () => unsigned({ jwk: { kty: 'oct', k: 'AAAA' } }), {}, 'jwk is no public'],
    ['without jwk', () => prove({}, { jwk: undefined }), {}, 'jwk is no public'],
    ['with a private jwk', () => prove({}, { jwk: privateJwk }), {}, 'jwk is no public'],
    ['with x5c in the jwk', () => prove({}, { jwk: { ...publicJwk(), x5c: ['AA=='] } }), {}, 'jwk is no public'],
    ['with a point off its curve', () => prove({}, { jwk: { ...publicJwk(), y: 'A'.repeat(43) } }), {}, 'jwk is no'],
    [
      'with a coordinate of 33 bytes',
      () => prove({}, { jwk: { ...publicJwk(), x: `AA${'A'.repeat(42)}` } }),
      {},
      'jwk',
    ],
    ['with crit', () => prove({}, { crit: ['b64'] }), {}, 'header_not_allowed'],
    ['with jku', () => prove({}, { jku: 'https://evil.example.com' }), {}, 'header_not_allowed'],
    ['with x5c', () => prove({}, { x5c: [] }), {}, 'header_not_allowed'],
    ['with kid', () => prove({}, { kid: '1' }), {}, 'header_not_allowed'],
    ['by another key than its jwk', () => prove({}, { jwk: publicJwk(p384.publicKey) }), {}, 'alg_mismatch'],
    [
      'by another key of the type',
      () => prove({}, {}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      {},
      'bad_signature',
    ],
    ['without jti', () => prove({ jti: undefined }), {}, 'claims: jti'],
    ['with 15 characters of jti', () => prove({ jti: 'a'.repeat(15) }), {}, 'claims: jti'],
    ['with 129 characters of jti', () => prove({ jti: 'a'.repeat(129) }), {}, 'claims: jti'],
    ['with a line feed in jti', () => prove({ jti: `${'a'.repeat(16)}\n` }), {}, 'claims: jti'],
    ['without htm', () => prove({ htm: undefined }), {}, 'claims: htm'],
    ['of another method', () => prove({ htm: 'GET' }), {}, 'htm'],
    ['of the method in lower case', () => prove({ htm: 'post' }), {}, 'htm'],
    ['of another path', () => prove({ htu: 'https://127.0.0.1:8443/v1/message' }), {}, 'htu'],
    ['of another host', () => prove({ htu: 'https://evil.example.com/v1/messages' }), {}, 'htu'],
    ['of another port', () => prove({ htu: 'https://127.0.0.1:8444/v1/messages' }), {}, 'htu'],
    ['of another scheme', () => prove({ htu: 'http://127.0.0.1:8443/v1/messages' }), {}, 'htu'],
    ['with a user in the URL', () => prove({ htu: 'https://a@127.0.0.1:8443/v1/messages' }), {}, 'htu'],
    ['with what is no URL', () => prove({ htu: '/v1/messages' }), {}, 'htu'],
    ['without ath beside a token', () => prove(), { accessToken: 't' }, 'ath'],
    ['with the ath of another token', () => prove({ ath: sha256Base64url('u') }), { accessToken: 't' }, 'ath'],
    ['without iat', () => prove({ iat: undefined }), {}, 'claims: iat'],
    ['with a fraction of iat', () => prove({ iat: NOW + 0.5 }), {}, 'claims: iat'],
    ['long before its nonce', () => prove({ iat: iatFrom - 61 }), {}, 'iat is not'],
    ['long after its nonce', () => prove({ iat: iatFrom + 181 }), {}, 'iat is not'],
  ])('is refused %s', (_name, header, changed, reason) => {
    const said = verdict(header(), changed);
    expect(said).toContain('auth.dpop_invalid');
    expect(said).toContain(reason);
  });

  it.each([
    ['with query and fragment', { htu: 'https://127.0.0.1:8443/v1/messages?a=b#c' }, {}],
    ['through the other public URL', { htu: 'https://edge.example.com/v1/messages' }, {}],
    ['with the ath of its token', { ath: sha256Base64url('t') }, { accessToken: 't' }],
    ['at the first second of its nonce', { iat: iatFrom - 60 }, {}],
    ['at the last', { iat: iatFrom + 180 }, {}],
    ['with claims of its own', { vin: 'x' }, {}],
  ])('is taken %s', (_name, changed, expectation) => {
    expect(verdict(prove(changed), expectation)).toBe('ok');
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => verdict(text).startsWith('auth.')));
    fc.assert(
      fc.property(fc.json(), fc.json(), (header, payload) => {
        const text = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}.AA`;
        return verdict(text).startsWith('auth.');
      }),
    );
  });
});

function unsigned(header: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ typ: JWS_TYP.dpop, jwk: publicJwk(), ...header })}.${part(claims())}.${'A'.repeat(86)}`;
}

describe('a nonce', () => {
  const nonce = dpopNonce(nonceKey, NOW_MS);
  it.each<[string, object, string]>([
    ['none', { nonce: undefined }, 'no nonce'],
    ['an empty one', { nonce: '' }, 'no nonce'],
    ['of another service', { nonce: dpopNonce({ ...nonceKey, service: 'command' }, NOW_MS) }, 'the nonce is old'],
    ['of another key', { nonce: dpopNonce({ ...nonceKey, key: Buffer.alloc(32) }, NOW_MS) }, 'the nonce is old'],
    ['of two periods ago', { nonce: dpopNonce(nonceKey, NOW_MS - 120_000) }, 'the nonce is old'],
    ['of the future', { nonce: dpopNonce(nonceKey, NOW_MS + 60_000) }, 'the nonce is old'],
  ])('is asked for where there is %s', (_name, changed, reason) => {
    expect(verdict(prove(changed))).toBe(`auth.dpop_nonce: ${reason}`);
  });

  it('is taken in the period after its own too, where a newer one is to be handed out', () => {
    expect(nonceWindow(nonce, nonceKey, NOW_MS)).toMatchObject({ current: true });
    expect(nonceWindow(nonce, nonceKey, NOW_MS + 60_000)).toMatchObject({ current: false });
    expect(nonceWindow(nonce, nonceKey, NOW_MS + 120_000)).toBeUndefined();
  });

  it('heals no clock that is not set by it: iat counts from the nonce, whatever our own clock says', () => {
    const late = NOW_MS + 59_000;
    expect(verdict(prove({ iat: NOW, nonce: dpopNonce(nonceKey, late) }), { nowMs: late })).toBe('ok');
  });
});
