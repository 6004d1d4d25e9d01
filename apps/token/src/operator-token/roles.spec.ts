import { expect, it, test } from '@jest/globals';
import { carries, isRole, OPERATOR_SCOPES, operatorScopes, ROLES } from './roles.js';

test.each([
  [
    'admin',
    'fleet:read fleet:write command:send revoke block decisions:read policy:read policy:write token:introspect',
  ],
  ['viewer', 'fleet:read decisions:read policy:read'],
  ['dispatcher', 'fleet:read command:send'],
  ['security', 'fleet:read revoke block decisions:read policy:read token:introspect'],
  ['resource-server', 'token:introspect'],
])('%s carries %s', (role, scopes) => {
  expect(operatorScopes([role], undefined).join(' ')).toBe(scopes);
});

it('adds roles up, once each, in one order', () => {
  expect(operatorScopes(['security', 'dispatcher'], undefined)).toEqual([
    'fleet:read',
    'command:send',
    'revoke',
    'block',
    'decisions:read',
    'policy:read',
    'token:introspect',
  ]);
});

it('gives what was asked for and no more', () => {
  expect(operatorScopes(['admin'], 'block revoke')).toEqual(['revoke', 'block']);
});

test.each([
  [['viewer'], 'revoke'],
  [['viewer'], 'fleet:read revoke'],
  [['admin'], 'telemetry:write'],
  [['admin'], 'fleet:read  revoke'],
  [[], undefined],
  [['root'], undefined],
  [['constructor'], undefined],
])('%j asking for %p is invalid_scope', (roles, asked) => {
  expect(() => operatorScopes(roles, asked)).toThrow(expect.objectContaining({ code: 'token.invalid_scope' }) as never);
});

it('knows its roles', () => {
  expect(ROLES).toEqual(['admin', 'viewer', 'dispatcher', 'security', 'resource-server']);
  expect([isRole('admin'), isRole('Admin'), isRole('toString')]).toEqual([true, false, false]);
  expect(OPERATOR_SCOPES).toHaveLength(9);
});

it('says which role carries a scope', () => {
  expect([carries(['viewer', 'security'], 'block'), carries(['viewer', 'root'], 'block')]).toEqual([true, false]);
});
