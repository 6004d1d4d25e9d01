import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, expect, it } from '@jest/globals';
import { SerialNumber } from '@outrider/ids';
import { createTestFleet, issue, type Party, type TestFleet, TRUST_DOMAIN } from '@outrider/testing';
import { createCertificationRequest, parseCertificationRequest } from '@outrider/x509';
import { decideRenewal, MAX_RENEWALS_OF_ONE } from './decide-renewal.js';

const NOW = new Date(Math.floor(Date.now() / 1000) * 1000);
const hours = (count: number) => new Date(NOW.getTime() + count * 3_600_000);
const serialNumber = SerialNumber.parse('7f0102030405060708090a0b0c0d0e06');
const OWN = 'spiffe://fleet.example.com/service/telemetry';
const names = { name: 'telemetry', sanUri: OWN, sanDns: ['telemetry.example'], sanIps: ['10.1.2.3'] };

let [fleet, next]: TestFleet[] = [];
let present: Party;
beforeAll(async () => {
  [fleet, next] = await Promise.all([createTestFleet(), createTestFleet()]);
  present = await issue('service-server', fleet.infrastructureCa, {
    ...names,
    notBefore: hours(-2),
    notAfter: hours(1),
  });
});

interface Case {
  readonly presented?: Party;
  readonly subject?: string;
  readonly sanUris?: string[];
  readonly sanDns?: string[];
  readonly keyType?: 'P-256' | 'Ed25519' | 'present';
  readonly renewals?: number;
  readonly isKeyKnown?: boolean;
  readonly issuer?: Party;
  readonly lifetimeSeconds?: number;
}

function decide(given: Case = {}) {
  const { presented = present, subject = 'telemetry', keyType = 'P-256', renewals = 0, isKeyKnown = false } = given;
  const fresh =
    keyType === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { sanUris = [], sanDns = [], issuer = fleet!.infrastructureCa, lifetimeSeconds = 7200 } = given;
  const keys = keyType === 'present' ? { privateKey: presented.privateKey, publicKey: publicKeyOf(presented) } : fresh;
  const csr = createCertificationRequest({ subject, sanUris, sanDns, ...keys } as never);
  const rules = { trustDomain: TRUST_DOMAIN, lifetimeSeconds, issuer: issuer.certificate };
  const history = { renewals, isKeyKnown };
  const request = parseCertificationRequest(csr);
  return decideRenewal('telemetry', presented.certificate, request, history, rules, serialNumber, NOW);
}

it('has the names of the certificate that asks, and of the request the key alone', () => {
  expect(decide({ sanDns: ['gateway.example'], sanUris: [OWN] })).toMatchObject({
    profile: 'service-server',
    subject: [{ value: 'fleet.example.com' }, { value: 'telemetry' }],
    sanUri: OWN,
    sanDns: ['telemetry.example'],
    sanIps: ['10.1.2.3'],
    notAfter: hours(2),
  });
});

it.each<[string, Case]>([
  ['another service by its subject', { subject: 'revocation' }],
  ['another service by its URI', { sanUris: ['spiffe://fleet.example.com/service/revocation'] }],
  ['a vehicle', { sanUris: ['spiffe://fleet.example.com/vehicle/device-1'] }],
  ['the same key again', { keyType: 'present' }],
  ['a key that was certified before', { isKeyKnown: true }],
  ['more than any number of replicas needs', { renewals: MAX_RENEWALS_OF_ONE }],
])('refuses %s', (_, given) => {
  expect(() => decide(given)).toThrow(expect.objectContaining({ code: 'ca.request_refused' }));
});

it('takes no key of another type than services have', () => {
  expect(() => decide({ keyType: 'Ed25519' })).toThrow(expect.objectContaining({ code: 'x509.key_unsupported' }));
});

it('waits for the half of its life, unless another CA signs by now', async () => {
  const options = { ...names, notBefore: hours(-1), notAfter: hours(2) };
  const presented = await issue('service-server', fleet!.infrastructureCa, options);
  expect(() => decide({ presented })).toThrow(expect.objectContaining({ code: 'ca.request_refused' }));
  expect(decide({ presented, issuer: next!.infrastructureCa })).toMatchObject({ sanUri: OWN });
});

it('makes no certificate of a service of one that signs OCSP answers', async () => {
  const presented = await issue('infrastructure-ocsp-signer', fleet!.infrastructureCa, {
    ...{ name: 'ocsp', notBefore: hours(-2), notAfter: hours(1) },
  });
  expect(() => decide({ presented })).toThrow(expect.objectContaining({ code: 'ca.request_refused' }));
});

it('outlives neither the profile nor the CA', () => {
  expect(decide({ lifetimeSeconds: 1 }).notAfter).toEqual(hours(1));
  expect(decide({ lifetimeSeconds: 40_000_000_000 }).notAfter).toEqual(fleet!.infrastructureCa.certificate.notAfter);
});

function publicKeyOf({ certificate }: Party) {
  return { export: () => Buffer.from(certificate.spkiDer) };
}
