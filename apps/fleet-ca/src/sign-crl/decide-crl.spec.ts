import { beforeAll, describe, expect, it } from '@jest/globals';
import { CrlSignRequest } from '@outrider/contracts';
import type { Service } from '@outrider/ids';
import { createTestFleet, type TestFleet } from '@outrider/testing';
import { decideCrl, type SignedBefore } from './decide-crl.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const BASE = 'http://localhost:9105/crl';
const PLACE = { baseUrl: BASE, shardCount: 4, prefix: '' };

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createTestFleet();
});

const NONE: SignedBefore = { last: undefined, hasBase: false };
const after = (number: number, requestSha256: string, hasBase = false): SignedBefore => ({
  last: { number, requestSha256 },
  hasBase,
});

function decide(changes: object = {}, before: SignedBefore = NONE, requester: Service = 'revocation') {
  const request = CrlSignRequest.parse({
    aud: 'ca.crl.sign.v2',
    iat: 0,
    issuerKeyId: fleet.vehicleCa.certificate.subjectKeyId,
    distributionPoint: `${BASE}/0.crl`,
    number: 7,
    hasDeltas: false,
    thisUpdate: '2026-03-01T12:00:00Z',
    nextUpdate: '2026-03-01T13:00:00Z',
    draft: '5c7d2c0e-3f53-4a55-8ad2-6a5d3cf2b0f1',
    entries: { count: 0, bytes: 0, sha256: '0'.repeat(64) },
    ...changes,
  });
  return decideCrl(requester, request, 'hash', before, fleet.vehicleCa.certificate, PLACE, NOW);
}

describe('decideCrl', () => {
  it('describes the list that was asked for', () => {
    expect(decide()).toMatchObject({
      crlNumber: 7,
      nextUpdate: new Date('2026-03-01T13:00:00Z'),
      distributionPoint: `${BASE}/0.crl`,
      freshestCrl: undefined,
      baseCrlNumber: undefined,
    });
  });

  it('says itself where the deltas of a full list are', () => {
    expect(decide({ hasDeltas: true })).toMatchObject({ freshestCrl: `${BASE}/0-delta.crl` });
  });

  it('takes a higher number, and the same request under the same number', () => {
    expect(decide({}, after(6, 'other')).crlNumber).toBe(7);
    expect(decide({}, after(7, 'hash')).crlNumber).toBe(7);
  });

  it('takes a delta that goes on from a full list that was signed', () => {
    expect(decide({ baseNumber: 5 }, after(6, 'other', true))).toMatchObject({ baseCrlNumber: 5, crlNumber: 7 });
  });

  it.each<[string, object, SignedBefore]>([
    ['a number that was passed', {}, after(8, 'hash')],
    ['another list under the same number', {}, after(7, 'other')],
    ['a list from an hour ago', { thisUpdate: '2026-03-01T11:00:00Z' }, NONE],
    ['a list that ends before it begins', { nextUpdate: '2026-03-01T11:59:00Z' }, NONE],
    ['a list for a year', { nextUpdate: '2027-03-01T12:00:00Z' }, NONE],
    ['a list of another place', { distributionPoint: 'http://evil.example/crl/0.crl' }, NONE],
    ['a list of the place of a delta', { distributionPoint: `${BASE}/0-delta.crl` }, NONE],
    ['a shard that there is not', { distributionPoint: `${BASE}/4.crl` }, NONE],
    ['a delta of a list that was never signed, or was a delta', { baseNumber: 5 }, after(6, 'other', false)],
    ['a delta of itself', { baseNumber: 7 }, after(6, 'other', true)],
    ['a delta of deltas', { baseNumber: 5, hasDeltas: true }, after(6, 'other', true)],
  ])('refuses %s', (_, changes, before) => {
    expect(() => decide(changes, before)).toThrow(expect.objectContaining({ code: 'ca.request_refused' }));
  });

  it('refuses anyone but revocation', () => {
    expect(() => decide({}, NONE, 'provisioning')).toThrow(expect.objectContaining({ code: 'ca.requester_refused' }));
  });
});
