import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { DeviceId, TrustDomain } from '@outrider/ids';
import { createCertificationRequest, OID, parseCertificationRequest } from '@outrider/x509';
import { checkRequested } from './requested-name.js';

const DEVICE = DeviceId.parse('device-12345');
const DOMAIN = TrustDomain.parse('fleet.example.com');
const keys = generateKeyPairSync('ed25519');
const cn = (value: string) => ({ type: OID.commonName, value });

const asking = (subject: string | { type: string; value: string }[], sanUris: string[] = []) =>
  parseCertificationRequest(createCertificationRequest({ subject, sanUris, ...keys }));
const check = (request: ReturnType<typeof asking>) => checkRequested(request, DEVICE, DOMAIN);

describe('what a request may ask for', () => {
  test.each([
    ['its name', asking('device-12345')],
    ['no name', asking([])],
    [
      'its name and more that is dropped',
      asking([{ type: OID.organizationName, value: 'Demo Motors' }, cn('device-12345')]),
    ],
    ['its own URI', asking('device-12345', ['spiffe://fleet.example.com/vehicle/device-12345'])],
  ])('%s', (_what, request) => {
    expect(() => check(request)).not.toThrow();
  });

  test.each([
    ['another name', asking('device-99999')],
    ['its name in capitals', asking('DEVICE-12345')],
    ['two names', asking([cn('device-12345'), cn('device-99999')])],
    ['its name twice', asking([cn('device-12345'), cn('device-12345')])],
    ["another vehicle's URI", asking('device-12345', ['spiffe://fleet.example.com/vehicle/device-99999'])],
    ["a service's URI", asking('device-12345', ['spiffe://fleet.example.com/service/command'])],
  ])('not %s', (_what, request) => {
    expect(() => check(request)).toThrow(expect.objectContaining({ code: 'est.csr_name_mismatch' }));
  });

  it('not authority', () => {
    const request = asking('device-12345');
    const ca = {
      ...request,
      requestedExtensions: { ...request.requestedExtensions, basicConstraints: { ca: true, pathLength: 0 } },
    };
    expect(() => check(ca)).toThrow(expect.objectContaining({ code: 'est.csr_authority_refused' }));
    const signer = {
      ...request,
      requestedExtensions: { ...request.requestedExtensions, keyUsage: ['keyCertSign' as const] },
    };
    expect(() => check(signer)).toThrow(expect.objectContaining({ code: 'est.csr_authority_refused' }));
  });
});
