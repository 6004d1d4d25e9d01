import { beforeAll, describe, expect, it } from '@jest/globals';
import { CrlSignRequest } from '@outrider/contracts';
import type { Service } from '@outrider/ids';
import { createTestFleet, type TestFleet } from '@outrider/testing';
import { decideCrl, type LastCrl } from './decide-crl.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const BASE = 'http://localhost:9105/crl';
const PLACE = { baseUrl: BASE, shardCount: 4, prefix: '' };

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createTestFleet();
});

function decide(changes: object = {}, last?: LastCrl, requester: Service = 'revocation') {
  const request = CrlSignRequest.parse({
    aud: 'ca.crl.sign.v1',
    iat: 0,
    issuerKeyId: fleet.vehicleCa.certificate.subjectKeyId,
    distributionPoint: `${BASE}/0.crl`,
    number: 7,
    thisUpdate: '2026-03-01T12:00:00Z',
    nextUpdate: '2026-03-01T13:00:00Z',
    entries: [{ serialNumber: '0a0b', revokedAt: '2026-03-01T11:00:00Z', reason: 'keyCompromise' }],
    ...changes,
  });
  return decideCrl(requester, request, 'hash', last, fleet.vehicleCa.certificate, PLACE, NOW);
}

describe('decideCrl', () => {
  it('describes the list that was asked for', () => {
    expect(decide()).toMatchObject({
      crlNumber: 7,
      nextUpdate: new Date('2026-03-01T13:00:00Z'),
      distributionPoint: `${BASE}/0.crl`,
      revoked: [{ serialNumber: '0a0b', revokedAt: new Date('2026-03-01T11:00:00Z'), reason: 'keyCompromise' }],
    });
  });

  it('takes a higher number, and the same request under the same number', () => {
    expect(decide({}, { number: 6, requestSha256: 'other' }).crlNumber).toBe(7);
    expect(decide({}, { number: 7, requestSha256: 'hash' }).crlNumber).toBe(7);
  });

  it.each<[string, object, LastCrl | undefined]>([
    ['a number that was passed', {}, { number: 8, requestSha256: 'hash' }],
    ['another list under the same number', {}, { number: 7, requestSha256: 'other' }],
    ['a list from an hour ago', { thisUpdate: '2026-03-01T11:00:00Z' }, undefined],
    ['a list that ends before it begins', { nextUpdate: '2026-03-01T11:59:00Z' }, undefined],
    ['a list for a year', { nextUpdate: '2027-03-01T12:00:00Z' }, undefined],
    ['a list of another place', { distributionPoint: 'http://evil.example/crl/0.crl' }, undefined],
  ])('refuses %s', (_, changes, last) => {
    expect(() => decide(changes, last)).toThrow(expect.objectContaining({ code: 'ca.request_refused' }));
  });

  it('refuses anyone but revocation', () => {
    expect(() => decide({}, undefined, 'provisioning')).toThrow(
      expect.objectContaining({ code: 'ca.requester_refused' }),
    );
  });
});
