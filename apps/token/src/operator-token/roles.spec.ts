import { expect, it, test } from '@jest/globals';
import { ELEVATED_SCOPES, OPERATOR_SCOPES, STANDING_SCOPES } from '@outrider/admission';
import { carries, isRole, mayRequest, operatorScopes, ROLES } from './roles.js';

const FLEET = 'device:read device:write command:send policy:read operator:read elevation:request';
const SECURITY =
  'device:read gateway:block ca:revoke evidence:read policy:read operator:read elevation:request elevation:approve';

test.each([
  ['viewer', 'device:read policy:read', ''],
  ['fleet-operator', FLEET, 'command:send-critical'],
  ['security-operator', SECURITY, 'ca:revoke-bulk policy:write'],
  ['ca-operator', 'device:read ca:revoke operator:read elevation:request', 'ca:revoke-bulk'],
  ['auditor', 'evidence:read operator:read', ''],
  ['admin', STANDING_SCOPES.join(' '), ELEVATED_SCOPES.join(' ')],
  ['partner', 'device:read command:send', ''],
  ['resource-server', 'token:introspect', ''],
])('%s carries %p and may be elevated to %p', (role, scopes, elevations) => {
  expect(operatorScopes([role], undefined).join(' ')).toBe(scopes);
  expect(ELEVATED_SCOPES.filter((scope) => mayRequest([role], scope)).join(' ')).toBe(elevations);
});

test.each(ROLES)('%s has nothing standing that is never standing', (role) => {
  for (const scope of ELEVATED_SCOPES) expect(() => operatorScopes([role], scope)).toThrow();
});

it('adds roles up, once each, in one order', () => {
  expect(operatorScopes(['auditor', 'viewer', 'viewer'], undefined)).toEqual([
    'device:read',
    'evidence:read',
    'policy:read',
    'operator:read',
  ]);
});

it('gives what was asked for and no more', () => {
  expect(operatorScopes(['admin'], 'ca:revoke gateway:block')).toEqual(['gateway:block', 'ca:revoke']);
});

it('gives what an elevation gives to who asks for it by name', () => {
  expect(operatorScopes(['viewer'], undefined, ['policy:write'])).toEqual(['device:read', 'policy:read']);
  expect(operatorScopes(['viewer'], 'policy:write device:read', ['policy:write'])).toEqual([
    'device:read',
    'policy:write',
  ]);
});

test.each([
  [['viewer'], 'ca:revoke'],
  [['viewer'], 'device:read ca:revoke'],
  [['admin'], 'telemetry:write'],
  [['admin'], 'device:read  ca:revoke'],
  [[], undefined],
  [['root'], undefined],
  [['constructor'], undefined],
])('%j asking for %p is invalid_scope', (roles, asked) => {
  expect(() => operatorScopes(roles, asked)).toThrow(expect.objectContaining({ code: 'token.invalid_scope' }) as never);
});

it('knows its roles', () => {
  expect([isRole('admin'), isRole('Admin'), isRole('toString')]).toEqual([true, false, false]);
  expect(new Set(OPERATOR_SCOPES).size).toBe(STANDING_SCOPES.length + ELEVATED_SCOPES.length);
});

it('says which role carries a scope', () => {
  expect([carries(['viewer', 'ca-operator'], 'ca:revoke'), carries(['viewer', 'root'], 'ca:revoke')]).toEqual([
    true,
    false,
  ]);
});
