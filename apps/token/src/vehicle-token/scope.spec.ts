import { expect, it, test } from '@jest/globals';
import { decideScope, OWN_SCOPES, scopeCatalogue, usualScope } from './scope.js';

const TELEMETRY = 'urn:outrider:telemetry';
const COMMAND = 'urn:outrider:command';

test.each<[string, string | undefined, string | undefined, object]>([
  [
    'no scope is telemetry:write',
    undefined,
    undefined,
    { family: 'telemetry', scopes: ['telemetry:write'], audience: TELEMETRY },
  ],
  [
    'a family of two',
    'telemetry:backfill telemetry:write',
    TELEMETRY,
    { family: 'telemetry', scopes: ['telemetry:write', 'telemetry:backfill'] },
  ],
  ['a scope twice counts once', 'telemetry:write telemetry:write', undefined, { scopes: ['telemetry:write'] }],
  ['control', 'command:receive', undefined, { family: 'control', scopes: ['command:receive'], audience: COMMAND }],
  [
    'control, whole',
    'command:critical command:receive',
    COMMAND,
    { scopes: ['command:receive', 'command:critical'], audience: COMMAND },
  ],
])('%s', (_name, scope, resource, expected) => {
  expect(decideScope(scope, resource)).toMatchObject(expected);
});

test.each<[string, string | undefined, string | undefined, string]>([
  ['mixes families', 'telemetry:write command:receive', undefined, 'token.invalid_scope'],
  ['unknown', 'telemetry:read', undefined, 'token.invalid_scope'],
  ['unknown beside a known one', 'telemetry:write admin', undefined, 'token.invalid_scope'],
  ["an operator's", 'ca:revoke', undefined, 'token.invalid_scope'],
  ['a name of Object.prototype', 'constructor', undefined, 'token.invalid_scope'],
  ['two spaces', 'telemetry:write  telemetry:backfill', undefined, 'token.invalid_scope'],
  ['a tab', 'telemetry:write\ttelemetry:backfill', undefined, 'token.invalid_scope'],
  ['too long', 'x'.repeat(513), undefined, 'token.invalid_scope'],
  ['telemetry for the command service', 'telemetry:write', COMMAND, 'token.invalid_target'],
  ['control for the telemetry service', 'command:receive', TELEMETRY, 'token.invalid_target'],
  ['the default scope for the command service', undefined, COMMAND, 'token.invalid_target'],
  ['an unknown resource', 'telemetry:write', 'https://evil.example', 'token.invalid_target'],
  ["the operators' audience", 'telemetry:write', 'urn:outrider:operator', 'token.invalid_target'],
])('refuses %s', (_name, scope, resource, code) => {
  expect(() => decideScope(scope, resource)).toThrow(expect.objectContaining({ code }) as never);
});

it('has an answer at hand for what is usual, and it is the same', () => {
  for (const scope of OWN_SCOPES.scopes) expect(usualScope(scope)).toEqual(decideScope(scope));
  expect(usualScope(undefined)).toEqual(decideScope());
  for (const scope of ['', 'telemetry:write ', 'telemetry:write telemetry:backfill', 'command:send', 'constructor'])
    expect(usualScope(scope)).toBeUndefined();
});

const API = { audience: 'urn:outrider:fleet-api', scopes: ['trips:read', 'trips:write'] };

it("knows the scopes of the platform's own APIs, each a family by itself", () => {
  const catalogue = scopeCatalogue([API, { audience: 'urn:outrider:other-api', scopes: ['maps:read'] }]);
  const grant = { family: 'api', scopes: ['trips:read', 'trips:write'], audience: API.audience };
  expect(decideScope('trips:write trips:read', API.audience, catalogue)).toEqual(grant);
  expect(usualScope('trips:read', catalogue)).toEqual(decideScope('trips:read', undefined, catalogue));
  const refused = (scope: string, resource: string | undefined, code: string) =>
    expect(() => decideScope(scope, resource, catalogue)).toThrow(expect.objectContaining({ code }) as never);
  refused('trips:read maps:read', undefined, 'token.invalid_scope');
  refused('trips:read telemetry:write', undefined, 'token.invalid_scope');
  refused('trips:read', 'urn:outrider:other-api', 'token.invalid_target');
  expect(() => decideScope('trips:read')).toThrow(expect.objectContaining({ code: 'token.invalid_scope' }) as never);
});

test.each([
  ['a scope of ours', { ...API, scopes: ['command:receive'] }],
  ['an audience of ours', { ...API, audience: COMMAND }],
  ["the operators' audience", { ...API, audience: 'urn:outrider:operator' }],
])('two families never share %s', (_name, api) => {
  expect(() => scopeCatalogue([api])).toThrow('of two families');
});
