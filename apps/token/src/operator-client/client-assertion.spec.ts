import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { type JWTHeaderParameters, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { ASSERTION_TYPE, claimedClient, readClientAssertion, verifyAssertion } from './client-assertion.js';

const NOW = 1_763_900_000;
const ISSUER = 'https://127.0.0.1:8442';
const ENDPOINT = 'https://127.0.0.1:9442/oauth2/token';
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const others = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const expected = {
  clientId: 'local-admin',
  publicKey: keys.publicKey,
  audiences: [ISSUER, ENDPOINT],
  nowMs: NOW * 1000,
  skewSeconds: 5,
};
const good: JWTPayload = { iss: 'local-admin', sub: 'local-admin', aud: ISSUER, iat: NOW, exp: NOW + 60, jti: 'one' };

const sign = (
  changed: JWTPayload = {},
  header: Partial<JWTHeaderParameters> = {},
  key: KeyObject | Uint8Array = keys.privateKey,
) => new SignJWT({ ...good, ...changed }).setProtectedHeader({ alg: 'ES256', typ: 'JWT', ...header }).sign(key);

describe('an assertion holds', () => {
  test.each<[string, JWTPayload, Partial<JWTHeaderParameters>]>([
    ['for the issuer', {}, {}],
    ['for the token endpoint', { aud: ENDPOINT }, {}],
    ['with one audience in an array', { aud: [ISSUER] }, {}],
    ['five minutes long', { exp: NOW + 300 }, {}],
    ['without iat', { iat: undefined as never }, {}],
    ['without typ', {}, { typ: undefined as never }],
    ['with the typ of client authentication', {}, { typ: 'client-authentication+jwt' }],
    ['from a clock a little ahead', { iat: NOW + 5, nbf: NOW + 5 }, {}],
  ])('%s', async (_name, changed, header) => {
    const assertion = await sign(changed, header);
    expect(await verifyAssertion(assertion, expected)).toEqual({ jti: 'one', expiresAt: changed.exp ?? NOW + 60 });
  });
});

describe('an assertion is refused', () => {
  const jws = async (assertion: string) =>
    expect(verifyAssertion(assertion, expected)).rejects.toMatchObject({ code: 'token.invalid_client' });

  test.each<[string, JWTPayload]>([
    ['of another issuer', { iss: 'someone' }],
    ['of another subject', { sub: 'someone' }],
    ['for another server', { aud: 'https://other.example' }],
    ['for the endpoint of vehicles', { aud: `${ISSUER}/oauth2/token` }],
    ['for two servers', { aud: [ISSUER, 'https://other.example'] }],
    ['without audience', { aud: undefined as never }],
    ['without jti', { jti: undefined as never }],
    ['with an empty jti', { jti: '' }],
    ['with a jti too long', { jti: 'x'.repeat(129) }],
    ['without exp', { exp: undefined as never }],
    ['expired, with no grace', { exp: NOW }],
    ['living too long', { exp: NOW + 306 }],
    ['of the future', { iat: NOW + 6 }],
    ['not valid yet', { nbf: NOW + 6 }],
  ])('%s', async (_name, changed) => jws(await sign(changed)));

  it('by another key', async () => jws(await sign({}, {}, others.privateKey)));
  it('of another purpose of the same key', async () => jws(await sign({}, { typ: 'at+jwt' })));
  it('with crit', async () => {
    const assertion = await sign();
    const [, payload, signature] = assertion.split('.');
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', crit: ['x'], x: 1 })).toString('base64url');
    await jws(`${header}.${payload}.${signature}`);
  });
  it('unsigned', async () => jws(new UnsecuredJWT(good).encode()));
  it('by HS256 keyed with the public key', async () => {
    const pem = keys.publicKey.export({ type: 'spki', format: 'pem' }) as string;
    await jws(await sign({}, { alg: 'HS256' }, Buffer.from(pem)));
  });
  it('by ES384', async () => {
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    await jws(await sign({}, { alg: 'ES384' }, p384.privateKey));
  });
});

describe('the client it claims', () => {
  it('is its sub', async () => expect(claimedClient(await sign())).toBe('local-admin'));
  it('holds nothing that the database could not look for', async () => {
    const text = await sign({ sub: 'local\0admin' });
    expect(() => claimedClient(text)).toThrow(expect.objectContaining({ code: 'token.invalid_client' }) as never);
  });
  test.each(['', 'a.b', 'x'.repeat(5000), `e30.${Buffer.from('{"sub":7}').toString('base64url')}.e30`, 'e30.e30.e30'])(
    '%.20p names none',
    (text) => {
      expect(() => claimedClient(text)).toThrow(expect.objectContaining({ code: 'token.invalid_client' }) as never);
    },
  );
});

describe('a form with an assertion', () => {
  const form = {
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: new UnsecuredJWT({ sub: 'local-admin' }).encode(),
  };

  it('says who it claims to be of; client_id may be left out', () => {
    expect(readClientAssertion(new Map(Object.entries(form))).clientId).toBe('local-admin');
  });

  test.each<[string, Record<string, string>, string]>([
    ['no assertion type', { client_assertion_type: undefined as never }, 'token.invalid_client'],
    [
      'another assertion type',
      { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' },
      'token.invalid_client',
    ],
    ['no assertion', { client_assertion: undefined as never }, 'token.invalid_request'],
    ['another client_id', { client_id: 'someone' }, 'token.invalid_client'],
  ])('is refused with %s', (_name, changed, code) => {
    expect(() => readClientAssertion(new Map(Object.entries({ ...form, ...changed })))).toThrow(
      expect.objectContaining({ code }) as never,
    );
  });
});
