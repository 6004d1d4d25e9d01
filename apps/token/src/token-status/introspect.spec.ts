import { expect, it } from '@jest/globals';
import { ACR, DeviceClaims, OperatorClaims } from '@outrider/admission';
import { denylistSubjectOf, introspect } from './introspect.js';

const times = { iss: 'https://a:8442', iat: 1000, nbf: 1000, exp: 1120, jti: '6f2b3f0e-6a0e-4a3e-9d7e-0a8f0f6a8f11' };
const device = DeviceClaims.parse({
  ...times,
  sub: 'device-12345',
  client_id: 'device-12345',
  aud: 'urn:outrider:telemetry',
  scope: 'telemetry:write',
  cnf: { 'x5t#S256': 'A'.repeat(43) },
});
const operator = OperatorClaims.parse({
  ...times,
  sub: `op:${times.jti}`,
  client_id: 'local-admin',
  aud: 'urn:outrider:operator',
  scope: 'gateway:block',
  roles: ['admin'],
  acr: ACR.service,
  amr: ['pop'],
  auth_time: 1_800_000_000,
});

it('tells all of a good token', () => {
  expect(introspect(device, true)).toEqual({ active: true, token_type: 'Bearer', ...device });
});

it('tells nothing of any other', () => {
  for (const answer of [introspect(undefined, true), introspect(device, false), introspect(undefined, false)]) {
    expect(JSON.stringify(answer)).toBe('{"active":false}');
  }
});

it('asks the denylist for the token, the certificate it came from, and the device', () => {
  const tokenThumbprint = 'A'.repeat(43);
  expect(denylistSubjectOf(device)).toEqual({ tokenId: times.jti, tokenThumbprint, deviceId: 'device-12345' });
  expect(denylistSubjectOf(operator)).toEqual({ tokenId: times.jti });
});
