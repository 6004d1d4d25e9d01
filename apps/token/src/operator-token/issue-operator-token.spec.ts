import { expect, it, test } from '@jest/globals';
import { OperatorClaims } from '@outrider/admission';
import { issueOperatorToken, readOperatorTokenRequest } from './issue-operator-token.js';

const account = { id: '6f2b3f0e-6a0e-4a3e-9d7e-0a8f0f6a8f11', clientId: 'local-admin', roles: ['viewer'] };
const context = {
  issuer: 'https://127.0.0.1:8442',
  nowMs: 1_763_900_000_999,
  jti: '7f2b3f0e-6a0e-4a3e-9d7e-0a8f0f6a8f11',
};

it('says exactly this, and fits what admission takes', () => {
  const claims = issueOperatorToken(account, undefined, context);
  expect(claims).toEqual({
    iss: context.issuer,
    sub: `op:${account.id}`,
    client_id: 'local-admin',
    aud: 'urn:outrider:operator',
    iat: 1_763_900_000,
    nbf: 1_763_900_000,
    exp: 1_763_900_900,
    jti: context.jti,
    roles: ['viewer'],
    scope: 'device:read policy:read',
  });
  expect(OperatorClaims.parse(claims)).toEqual(claims);
});

const form = { grant_type: 'client_credentials' };

it('reads the scope; the one resource may be named', () => {
  const given = { ...form, scope: 'gateway:block', resource: 'urn:outrider:operator' };
  expect(readOperatorTokenRequest(new Map(Object.entries(given)))).toEqual({ scope: 'gateway:block' });
});

test.each<[string, Record<string, string>, string]>([
  ['another grant type', { grant_type: 'password' }, 'token.unsupported_grant_type'],
  ['a resource of vehicles', { resource: 'urn:outrider:telemetry' }, 'token.invalid_target'],
])('refuses %s', (_name, changed, code) => {
  expect(() => readOperatorTokenRequest(new Map(Object.entries({ ...form, ...changed })))).toThrow(
    expect.objectContaining({ code }) as never,
  );
});
