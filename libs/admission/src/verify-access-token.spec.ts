import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { sign as signBytes, verificationKeyOf } from '@outrider/crypto';
import fc from 'fast-check';
import { ACR } from './operator-authentication.js';
import { verifyDeviceToken, verifyOperatorToken } from './verify-access-token.js';

const NOW = 1_780_000_000;
const keyPair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const edPair = generateKeyPairSync('ed25519');
const keys = new Map([
  ['k1', verificationKeyOf(keyPair.publicKey)],
  ['ed', verificationKeyOf(edPair.publicKey)],
]);
const expected = {
  issuer: 'https://127.0.0.1:8442',
  audience: 'urn:outrider:telemetry',
  nowMs: NOW * 1000,
  skewSeconds: 10,
};

const device = {
  iss: expected.issuer,
  sub: 'device-a',
  client_id: 'device-a',
  aud: expected.audience,
  iat: NOW,
  nbf: NOW,
  exp: NOW + 120,
  jti: 'j1',
  scope: 'telemetry:write',
  cnf: { 'x5t#S256': 'A'.repeat(43) },
};
const operator = {
  ...device,
  sub: 'op:00000000-0000-4000-8000-000000000000',
  aud: 'urn:outrider:operator',
  roles: ['admin'],
  acr: ACR.service,
  amr: ['pop'],
  auth_time: 1_800_000_000,
  cnf: undefined,
};
const HEADER = { alg: 'ES256', typ: 'at+jwt', kid: 'k1' };

function token(claims: object = device, header: object = HEADER, key: KeyObject = keyPair.privateKey): string {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${signBytes(key, Buffer.from(input)).toString('base64url')}`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

const verify = (compact: string) => verifyDeviceToken(compact, (kid) => keys.get(kid), expected);

it('takes a good token and says what it says', () => {
  expect(verify(token())).toEqual({ ok: true, claims: device });
});

describe('the header chooses nothing', () => {
  const own = keyPair.publicKey.export({ format: 'jwk' });
  test.each<[string, object]>([
    ['alg none', { alg: 'none' }],
    ['alg None', { alg: 'None' }],
    ['alg HS256', { alg: 'HS256' }],
    ['alg ES384', { alg: 'ES384' }],
    ['no alg', { alg: undefined }],
    ['jwk', { jwk: own }],
    ['jku', { jku: 'https://evil.example/jwks' }],
    ['x5u', { x5u: 'https://evil.example/x' }],
    ['x5c', { x5c: ['AA=='] }],
    ['crit', { crit: ['exp'] }],
    ['b64', { b64: false, crit: ['b64'] }],
    ['zip', { zip: 'DEF' }],
    ['typ JWT', { typ: 'JWT' }],
    ['typ AT+JWT', { typ: 'AT+JWT' }],
    ['typ application/at+jwt', { typ: 'application/at+jwt' }],
    ['typ dpop+jwt', { typ: 'dpop+jwt' }],
    ['no typ', { typ: undefined }],
    ['no kid', { kid: undefined }],
    ['kid of another type', { kid: 7 }],
    ['a path for a kid', { kid: '../../k1' }],
  ])('%s', (_name, change) => {
    expect(verify(token(device, { ...HEADER, ...change }))).toMatchObject({ ok: false, code: 'auth.token_invalid' });
  });

  it('refuses HS256 keyed with the public key, and an unsigned token', () => {
    const input = `${part({ ...HEADER, alg: 'HS256' })}.${part(device)}`;
    for (const key of [
      keyPair.publicKey.export({ type: 'spki', format: 'pem' }),
      keyPair.publicKey.export({ type: 'spki', format: 'der' }),
    ]) {
      const mac = createHmac('sha256', key).update(input).digest('base64url');
      expect(verify(`${input}.${mac}`)).toMatchObject({ ok: false, code: 'auth.token_invalid' });
    }
    expect(verify(`${part({ ...HEADER, alg: 'none' })}.${part(device)}.`)).toMatchObject({ ok: false });
  });

  it('takes tokens by ES256 alone, though the key is ours', () => {
    expect(verify(token(device, { ...HEADER, alg: 'EdDSA', kid: 'ed' }, edPair.privateKey))).toMatchObject({
      ok: false,
    });
  });

  it('names an unknown kid, so that keys can be asked for', () => {
    expect(verify(token(device, { ...HEADER, kid: 'k2' }))).toMatchObject({ ok: false, unknownKid: 'k2' });
  });
});

test.each<[string, object]>([
  ['issuer', { iss: 'https://127.0.0.1:8443' }],
  ['audience', { aud: 'urn:outrider:command' }],
  ['two audiences', { aud: [expected.audience, 'urn:outrider:command'] }],
  ['one audience in an array', { aud: [expected.audience] }],
  ['no cnf', { cnf: undefined }],
  ['another kind of cnf', { cnf: { jkt: 'A'.repeat(43) } }],
  ['cnf of an unknown kind', { cnf: { ...device.cnf, 'x5t#S512': 'A'.repeat(43) } }],
  ['a jkt that is no thumbprint', { cnf: { ...device.cnf, jkt: 'A'.repeat(42) } }],
  ['an unknown claim', { admin: true }],
  ['another client_id', { client_id: 'device-b' }],
  ['sub that is no device', { sub: 'DEVICE', client_id: 'DEVICE' }],
  ['no jti', { jti: undefined }],
  ['no nbf', { nbf: undefined }],
  ['exp as text', { exp: String(NOW + 120) }],
  ['exp beyond reason', { exp: Number.MAX_SAFE_INTEGER }],
  ['exp before iat', { exp: NOW - 1 }],
  ['iat 11 s ahead', { iat: NOW + 11 }],
  ['nbf 60 s ahead', { nbf: NOW + 60 }],
])('refuses %s', (_name, change) => {
  expect(verify(token({ ...device, ...change }))).toMatchObject({ ok: false, code: 'auth.token_invalid' });
});

it('has no grace for exp', () => {
  const expired = { ...device, iat: NOW - 60, nbf: NOW - 60, exp: NOW };
  expect(verify(token(expired))).toMatchObject({ ok: false, code: 'auth.token_expired' });
});

test.each<[string, object]>([
  ['10 s ahead', { iat: NOW + 10, nbf: NOW + 10 }],
  ['one second left', { iat: NOW - 119, nbf: NOW - 119, exp: NOW + 1 }],
])('takes a token %s', (_name, change) => {
  expect(verify(token({ ...device, ...change }))).toMatchObject({ ok: true });
});

it("tells vehicles' and operators' tokens apart", () => {
  const asOperator = { ...expected, audience: 'urn:outrider:operator' };
  const lookup = (kid: string) => keys.get(kid);
  expect(verifyOperatorToken(token(operator), lookup, asOperator)).toMatchObject({ ok: true });
  expect(verifyOperatorToken(token({ ...operator, cnf: device.cnf }), lookup, asOperator)).toMatchObject({ ok: false });
  expect(verifyOperatorToken(token(), lookup, asOperator)).toMatchObject({ ok: false });
  expect(verify(token(operator))).toMatchObject({ ok: false });
});

it('does not parse more than 4 KiB', () => {
  const long = token({
    ...device,
    scope: `telemetry:write ${'x'.repeat(480)}`,
    jti: 'j'.repeat(128),
    pad: 'x'.repeat(3000),
  });
  expect(long.length).toBeGreaterThan(4096);
  expect(verify(long)).toMatchObject({ ok: false, reason: 'malformed' });
});

test('no change of one character makes a token, and no text makes it throw', () => {
  const good = token();
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.constantFrom(...'AZaz09-_.=+/ é'), (at, character) => {
      fc.pre(good[at] !== character);
      expect(verify(good.slice(0, at) + character + good.slice(at + 1)).ok).toBe(false);
    }),
  );
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => expect(verify(text).ok).toBe(false)));
});
