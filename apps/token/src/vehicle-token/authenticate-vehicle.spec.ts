import { expect, test } from '@jest/globals';
import { Thumbprint, TrustDomain } from '@outrider/ids';
import { authenticateVehicle, type ClientCertificate } from './authenticate-vehicle.js';

const NOW = 1_763_900_000_000;
const trustDomain = TrustDomain.parse('fleet.example.com');
const certificate: ClientCertificate = {
  sanUris: ['spiffe://fleet.example.com/vehicle/device-12345'],
  thumbprint: Thumbprint.parse('A'.repeat(43)),
  notBefore: new Date(NOW - 1000),
  notAfter: new Date(NOW + 1000),
};

test('the device is the one both the certificate and client_id name', () => {
  expect(authenticateVehicle('device-12345', certificate, { trustDomain, nowMs: NOW })).toBe('device-12345');
});

test.each<[string, string, Partial<ClientCertificate>, string]>([
  ["another vehicle's client_id", 'device-99999', {}, 'token.invalid_client'],
  ['the SPIFFE id as client_id', 'spiffe://fleet.example.com/vehicle/device-12345', {}, 'token.invalid_client'],
  ['another case', 'Device-12345', {}, 'token.invalid_client'],
  ['no SAN URI', 'device-12345', { sanUris: [] }, 'token.invalid_client'],
  [
    'two SAN URIs',
    'device-12345',
    { sanUris: [certificate.sanUris[0]!, 'spiffe://fleet.example.com/vehicle/device-2'] },
    'token.invalid_client',
  ],
  [
    'another trust domain',
    'device-12345',
    { sanUris: ['spiffe://evil.example.com/vehicle/device-12345'] },
    'token.invalid_client',
  ],
  [
    "a service's certificate",
    'command',
    { sanUris: ['spiffe://fleet.example.com/service/command'] },
    'token.invalid_client',
  ],
  [
    'a certificate that ended on a live connection',
    'device-12345',
    { notAfter: new Date(NOW) },
    'tls.certificate_expired',
  ],
  ['a certificate of the future', 'device-12345', { notBefore: new Date(NOW + 1) }, 'tls.certificate_invalid'],
])('refuses %s', (_name, clientId, changed, code) => {
  const work = () => authenticateVehicle(clientId, { ...certificate, ...changed }, { trustDomain, nowMs: NOW });
  expect(work).toThrow(expect.objectContaining({ code }) as never);
});
