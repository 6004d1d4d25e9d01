import { expect, it, test } from '@jest/globals';
import { OperatorClaims } from '@outrider/admission';
import { UnsecuredJWT } from 'jose';
import { issueOperatorToken, readOperatorTokenRequest } from './issue-operator-token.js';
import { ASSERTION_TYPE } from './operator-assertion.js';

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
    scope: 'fleet:read decisions:read',
  });
  expect(OperatorClaims.parse(claims)).toEqual(claims);
});

const form = {
  grant_type: 'client_credentials',
  client_assertion_type: ASSERTION_TYPE,
  client_assertion: new UnsecuredJWT({ sub: 'local-admin' }).encode(),
};

it('reads who it is of from the assertion; client_id may be left out', () => {
  expect(readOperatorTokenRequest(new Map(Object.entries(form))).clientId).toBe('local-admin');
});

test.each<[string, Record<string, string>, string]>([
  ['another grant type', { grant_type: 'password' }, 'token.unsupported_grant_type'],
  ['no assertion type', { client_assertion_type: undefined as never }, 'token.invalid_client'],
  [
    'another assertion type',
    { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' },
    'token.invalid_client',
  ],
  ['no assertion', { client_assertion: undefined as never }, 'token.invalid_request'],
  ['another client_id', { client_id: 'someone' }, 'token.invalid_client'],
  ['a resource of vehicles', { resource: 'urn:outrider:telemetry' }, 'token.invalid_target'],
])('refuses %s', (_name, changed, code) => {
  expect(() => readOperatorTokenRequest(new Map(Object.entries({ ...form, ...changed })))).toThrow(
    expect.objectContaining({ code }) as never,
  );
});
