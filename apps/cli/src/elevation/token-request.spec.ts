import { generateKeyPairSync, verify } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { heldBy, tokenForm } from './token-request.js';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

it('reads whose token it is, and what it carries', () => {
  const payload = Buffer.from(JSON.stringify({ client_id: 'local-admin', scope: 'a b' })).toString('base64url');
  expect(heldBy(`x.${payload}.y`)).toEqual({ clientId: 'local-admin', scopes: ['a', 'b'] });
  expect(() => heldBy('rubbish')).toThrow();
});

it('asks for the scopes with an assertion by the account', () => {
  const audience = 'https://127.0.0.1:9442/oauth2/token';
  const context = { audience, key: privateKey, nowMs: 1_800_000_000_999, jti: 'j' };
  const form = new URLSearchParams(tokenForm('local-admin', ['a', 'policy:write'], context));
  expect(form.get('scope')).toBe('a policy:write');
  const [header, payload, signature] = (form.get('client_assertion') ?? '').split('.');
  const signed = Buffer.from(`${header}.${payload}`);
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  expect(verify('sha256', signed, key, Buffer.from(signature ?? '', 'base64url'))).toBe(true);
  expect(JSON.parse(Buffer.from(payload ?? '', 'base64url').toString())).toEqual({
    ...{ iss: 'local-admin', sub: 'local-admin', aud: audience, jti: 'j' },
    ...{ iat: 1_800_000_000, exp: 1_800_000_060 },
  });
});
