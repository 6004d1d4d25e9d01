import { describe, expect, it, test } from '@jest/globals';
import { DeviceClaims } from '@outrider/admission';
import { DeviceId, JwtId, Thumbprint } from '@outrider/ids';
import { type IssueContext, issueVehicleToken, readVehicleTokenRequest } from './issue-vehicle-token.js';

const NOW = 1_763_900_000_000;
const context: IssueContext = {
  issuer: 'https://127.0.0.1:8442',
  deviceId: DeviceId.parse('device-12345'),
  device: { state: 'active', grants: ['command:receive'] },
  thumbprint: Thumbprint.parse('A'.repeat(43)),
  notAfterMs: NOW + 86_400_000,
  nowMs: NOW,
  jti: JwtId.parse('6f2b3f0e-6a0e-4a3e-9d7e-0a8f0f6a8f11'),
};
const read = (fields: Record<string, string>) =>
  readVehicleTokenRequest(
    new Map(Object.entries({ grant_type: 'client_credentials', client_id: 'device-12345', ...fields })),
  );

describe('what a token says', () => {
  it('is exactly this, and fits what admission takes', () => {
    const claims = issueVehicleToken(read({ scope: 'command:receive' }), context);
    expect(claims).toEqual({
      iss: 'https://127.0.0.1:8442',
      sub: 'device-12345',
      client_id: 'device-12345',
      aud: 'urn:outrider:command',
      iat: NOW / 1000,
      nbf: NOW / 1000,
      exp: NOW / 1000 + 30,
      jti: context.jti,
      scope: 'command:receive',
      cnf: { 'x5t#S256': context.thumbprint },
    });
    expect(DeviceClaims.parse(claims)).toEqual(claims);
  });

  it('clamps a lifetime of a day', () => {
    const { iat, exp } = issueVehicleToken(read({ requested_lifetime: '86400' }), context);
    expect(exp - iat).toBe(300);
  });

  it('needs the grant for control, none for telemetry', () => {
    const bare: IssueContext = { ...context, device: { state: 'active', grants: [] } };
    expect(() => issueVehicleToken(read({ scope: 'command:receive' }), bare)).toThrow(
      expect.objectContaining({ code: 'token.invalid_scope' }) as never,
    );
    expect(issueVehicleToken(read({ scope: 'telemetry:write' }), bare).scope).toBe('telemetry:write');
  });
});

test.each<[string, Record<string, string>, string]>([
  ['no client_id', { client_id: undefined as never }, 'token.invalid_request'],
  ['another grant type', { grant_type: 'password' }, 'token.unsupported_grant_type'],
  ['mixed scopes', { scope: 'telemetry:write command:receive' }, 'token.invalid_scope'],
  ['a resource that does not fit', { resource: 'urn:outrider:command' }, 'token.invalid_target'],
  ['no lifetime', { requested_lifetime: 'long' }, 'token.invalid_request'],
])('refuses %s', (_name, fields, code) => {
  expect(() => read(fields)).toThrow(expect.objectContaining({ code }) as never);
});
