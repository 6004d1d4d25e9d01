import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import type { DeviceContext } from '@outrider/contracts';
import { compileBundle, decide } from '@outrider/policy';
import { controlTokenRequest, dispatchRequest, operatorAttributes, outOfServiceRequest } from './policy-requests.js';

const folder = join(import.meta.dirname, '../../../../policies');
const text = (name: string) => readFileSync(join(folder, name), 'utf8');
const names = readdirSync(folder).filter((name) => name.endsWith('.cedar'));
const policies = Object.fromEntries(names.map((name) => [name.slice(0, -'.cedar'.length), text(name)]));
const bundle = compileBundle({ version: 1, schema: text('schema.cedarschema'), policies }, 'candidate');

const NOW = new Date('2026-11-23T00:30:00Z');
const vehicle = (parts: Partial<DeviceContext> = {}): DeviceContext => ({
  state: 'active',
  attestation: 'none',
  labels: [],
  timeZone: 'Europe/Berlin',
  geofences: [],
  outsideGeofence: false,
  ...parts,
});
const operator = operatorAttributes({ roles: ['fleet-operator'] });
const unlock = { name: 'unlock', critical: true, remoteControl: true };
const honk = { name: 'honk', critical: false, remoteControl: false };
const send = (command: typeof unlock, parts: Partial<DeviceContext>) =>
  decide(bundle, dispatchRequest('op:1', operator, command, 'device-1', vehicle(parts), NOW));

describe('what policies are asked', () => {
  test.each([
    ['an unlock while it moves', unlock, { speedKmh: 42, telemetryAgeSeconds: 1 }, 'no-remote-control-while-moving'],
    ['an unlock outside the geofence', unlock, { outsideGeofence: true }, 'no-remote-control-outside-the-geofence'],
    ['a honk in quarantine', honk, { state: 'quarantined' }, 'quarantine-means-only-recovery'],
    [
      'an unlock at an unknown attestation',
      unlock,
      { attestation: 'hardware' },
      'no-critical-command-at-a-stale-attestation',
    ],
  ] as const)('%s is forbidden', (_name, command, parts, policy) => {
    expect(send(command, parts)).toMatchObject({ decision: 'deny', policies: [policy], errors: [] });
  });

  test.each([
    ['an unlock of a parked one', unlock, { speedKmh: 0, health: 'ok', telemetryAgeSeconds: 5 }],
    ['an unlock of one that said nothing yet', unlock, {}],
    ['a honk while it moves', honk, { speedKmh: 42, telemetryAgeSeconds: 1 }],
    ['one that has not enrolled yet', honk, { state: 'registered' }],
    ['a fresh attestation', unlock, { attestation: 'hardware', attestationAgeSeconds: 60 }],
  ] as const)('%s is not', (_name, command, parts) => {
    expect(send(command, parts)).toMatchObject({ decision: 'allow', errors: [] });
  });

  it('a control token, and what takes out of service with nothing known, fit the schema', () => {
    const token = controlTokenRequest('device-1', ['command:receive'], vehicle(), NOW);
    expect(decide(bundle, token)).toMatchObject({ decision: 'allow', policies: ['control-token-for-active-vehicles'] });
    for (const action of ['block', 'unblock', 'revoke'] as const)
      expect(decide(bundle, outOfServiceRequest(action, 'op:1', operator, 'device-1', undefined, NOW))).toMatchObject({
        decision: 'allow',
        errors: [],
      });
  });

  it("the time is the vehicle's own", () => {
    expect(controlTokenRequest('device-1', [], vehicle(), NOW).context).toMatchObject({
      local: { hour: 1, minuteOfDay: 90, weekday: 1 },
    });
  });

  it('a second factor and an elevation are read from the token', () => {
    const acr = 'urn:outrider:acr:mfa';
    expect(operatorAttributes({ roles: ['admin'], acr, elevation: 'e' })).toEqual({
      roles: ['admin'],
      secondFactor: true,
      elevated: true,
    });
    expect(operator).toEqual({ roles: ['fleet-operator'], secondFactor: false, elevated: false });
  });
});
