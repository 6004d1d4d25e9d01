import { expect, test } from '@jest/globals';
import { type DeviceKnowledge, requireControl, requireTelemetry, worthAsking } from './device.js';

const device = (
  state: 'registered' | 'active' | 'quarantined' | 'awaiting_recovery' | 'retired',
  ...grants: ('command:receive' | 'command:critical')[]
) => ({ state, grants });

function codeOf(work: () => void): string {
  try {
    work();
    return 'ok';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test.each<[string, DeviceKnowledge, string, string]>([
  ['active with the grant', device('active', 'command:receive'), 'ok', 'ok'],
  ['active without a grant', device('active'), 'ok', 'token.invalid_scope'],
  ['active with another grant', device('active', 'command:critical'), 'ok', 'token.invalid_scope'],
  ['registered', device('registered', 'command:receive'), 'ok', 'token.unauthorized_client'],
  ['quarantined: for recovery', device('quarantined', 'command:receive'), 'token.unauthorized_client', 'ok'],
  [
    'awaiting recovery',
    device('awaiting_recovery', 'command:receive'),
    'token.unauthorized_client',
    'token.unauthorized_client',
  ],
  ['retired', device('retired', 'command:receive'), 'token.unauthorized_client', 'token.unauthorized_client'],
  ['not in the registry', 'not_registered', 'token.unauthorized_client', 'token.unauthorized_client'],
  ['unknown, registry away', 'unknown', 'ok', 'service.upstream_unavailable'],
])('%s', (_name, known, telemetry, control) => {
  expect(codeOf(() => requireTelemetry(known, ['telemetry:write']))).toBe(telemetry);
  expect(codeOf(() => requireControl(known, ['command:receive']))).toBe(control);
});

test('every scope asked needs its own grant', () => {
  const both = ['command:receive', 'command:critical'];
  expect(codeOf(() => requireControl(device('active', 'command:receive'), both))).toBe('token.invalid_scope');
  expect(codeOf(() => requireControl(device('active', 'command:receive', 'command:critical'), both))).toBe('ok');
});

test('the registry is asked of what is unknown or enrolled a moment ago, and of nothing else', () => {
  expect(worthAsking('unknown')).toBe(true);
  expect(worthAsking(device('registered'))).toBe(true);
  for (const known of ['not_registered', device('active'), device('quarantined'), device('retired')] as const)
    expect(worthAsking(known)).toBe(false);
});

test('a quarantined device may hand in its logs, and one that is out of use nothing', () => {
  for (const scopes of [['telemetry:backfill'], ['telemetry:backfill', 'telemetry:write']]) {
    const wanted = scopes.length === 1 ? 'ok' : 'token.unauthorized_client';
    expect(codeOf(() => requireTelemetry(device('quarantined'), scopes))).toBe(wanted);
    for (const state of ['awaiting_recovery', 'retired'] as const)
      expect(codeOf(() => requireTelemetry(device(state), scopes))).toBe('token.unauthorized_client');
  }
});
