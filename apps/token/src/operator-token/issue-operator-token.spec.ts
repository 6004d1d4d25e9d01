import { expect, it, test } from '@jest/globals';
import { ACR, OperatorClaims } from '@outrider/admission';
import { issueOperatorToken, readOperatorTokenRequest, signedAssertion } from './issue-operator-token.js';

const account = { id: '6f2b3f0e-6a0e-4a3e-9d7e-0a8f0f6a8f11', clientId: 'local-admin', roles: ['viewer'] };
const context = {
  issuer: 'https://127.0.0.1:8442',
  nowMs: 1_763_900_000_999,
  jti: '7f2b3f0e-6a0e-4a3e-9d7e-0a8f0f6a8f11',
};

it('says exactly this, and fits what admission takes', () => {
  const claims = issueOperatorToken(account, undefined, signedAssertion(context.nowMs), undefined, context);
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
    acr: 'urn:outrider:acr:service',
    amr: ['pop'],
    auth_time: 1_763_900_000,
  });
  expect(OperatorClaims.parse(claims)).toEqual(claims);
});

it.each([
  ['outlasts it', 7200, 1_763_900_900],
  ['ends before it would', 60, 1_763_900_060],
])('names the elevation that it uses, and never outlives it: one that %s', (_name, seconds, exp) => {
  const endsAt = new Date(1_763_900_000_500 + seconds * 1000);
  const grant = { elevationId: '8f2b3f0e-6a0e-4a3e-9d7e-0a8f0f6a8f11', scope: 'policy:write', endsAt } as const;
  const signIn = { acr: ACR.mfa, amr: ['pwd', 'otp'], authTime: 1_763_899_000 };
  const claims = issueOperatorToken(account, 'policy:write policy:read', signIn, grant, context);
  expect(claims).toMatchObject({ elevation: grant.elevationId, exp, scope: 'policy:read policy:write self:enrol' });
  expect(claims).toMatchObject({ acr: ACR.mfa, amr: ['pwd', 'otp'], auth_time: 1_763_899_000 });
  expect(OperatorClaims.parse(claims)).toEqual(claims);
});

it('gives a password alone nothing but the way to a second factor', () => {
  const signIn = { acr: ACR.password, amr: ['pwd'], authTime: 1_763_900_000 };
  for (const asked of [undefined, 'device:read'])
    expect(issueOperatorToken(account, asked, signIn, undefined, context)).toMatchObject({ scope: 'self:enrol' });
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
