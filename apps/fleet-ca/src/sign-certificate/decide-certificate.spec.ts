import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateSignItem } from '@outrider/contracts';
import { SerialNumber } from '@outrider/ids';
import { createTestFleet, type TestFleet, TRUST_DOMAIN } from '@outrider/testing';
import {
  type CertificateProfile,
  createCertificationRequest,
  type NameAttribute,
  OID,
  PROFILES,
  type ProfileName,
  parseCertificationRequest,
} from '@outrider/x509';
import { decideCertificate, type IssuingRules } from './decide-certificate.js';

const NOW = new Date(Math.floor(Date.now() / 1000) * 1000);
const DAY = 86_400;
const rules: IssuingRules = {
  crlPrefix: '',
  trustDomain: TRUST_DOMAIN,
  crl: { baseUrl: 'http://localhost:9105/crl', shardCount: 4 },
  ocspUrl: 'http://localhost:9105/ocsp',
};
const serialNumber = SerialNumber.parse('7f0102030405060708090a0b0c0d0e06');
const OWN_URI = 'spiffe://fleet.example.com/vehicle/device-12345';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createTestFleet();
});

interface Case {
  readonly requester?: 'provisioning' | 'command' | 'revocation';
  readonly subject?: string | readonly NameAttribute[];
  readonly sanUris?: string[];
  readonly keyType?: 'P-256' | 'Ed25519';
  readonly keys?: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  readonly request?: object;
  readonly profile?: CertificateProfile;
  readonly issuerProfile?: string;
}

function decide(given: Case = {}) {
  const { requester = 'provisioning', subject = 'device-12345', sanUris = [], keyType = 'P-256', request = {} } = given;
  const keys =
    given.keys ??
    (keyType === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: keyType }));
  const csr = createCertificationRequest({ subject, sanUris, ...keys });
  const asked = CertificateSignItem.parse({
    authority: 'vehicle-ca',
    requestId: '4f1c4bd2-97a4-4bd4-b3a1-0a77a9eb2a0c',
    profile: 'vehicle',
    csr: Buffer.from(csr).toString('base64'),
    deviceId: 'device-12345',
    ...request,
  });
  const profile = given.profile ?? PROFILES[asked.profile as ProfileName];
  const issuer = { profile: given.issuerProfile ?? (profile.signedBy[0] as string), ...fleet.vehicleCa };
  return decideCertificate(requester, asked, profile, parseCertificationRequest(csr), issuer, rules, serialNumber, NOW);
}

const inSeconds = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

describe('decideCertificate', () => {
  it('describes a vehicle certificate by its identity and the rules alone', () => {
    expect(decide({ sanUris: [OWN_URI] })).toMatchObject({
      profile: { name: 'vehicle' },
      subject: [{ value: 'device-12345' }],
      sanUri: OWN_URI,
      notBefore: inSeconds(-300),
      notAfter: inSeconds(DAY),
      crlUrl: 'http://localhost:9105/crl/2.crl',
      ocspUrl: 'http://localhost:9105/ocsp',
    });
  });

  it('names the vehicle where the request names nobody', () => {
    expect(decide({ subject: [] })).toMatchObject({ subject: [{ value: 'device-12345' }], sanUri: OWN_URI });
  });

  it('refuses a second name beside the right one', () => {
    const subject = ['device-12345', 'device-99999'].map((value) => ({ type: OID.commonName, value }));
    expect(() => decide({ subject })).toThrow(expect.objectContaining({ code: 'ca.request_refused' }));
  });

  it('describes a command signer: one name whatever is asked, no revocation pointers', () => {
    const request = { profile: 'command-signer', deviceId: undefined };
    const description = decide({ requester: 'command', subject: 'command', request });
    expect(description).toMatchObject({ sanUri: 'spiffe://fleet.example.com/service/command' });
    expect(description).not.toHaveProperty('crlUrl');
  });

  it.each([
    ['a minute', 60, 600],
    ['an hour', 3600, 3600],
    ['a year', 365 * DAY, 7 * DAY],
  ])('clamps a lifetime of %s', (_, wanted, given) => {
    expect(decide({ request: { lifetimeSeconds: wanted } }).notAfter).toEqual(inSeconds(given));
  });

  it('lets nothing outlive its issuer, nor begin before it', () => {
    const generous = { min: 60, default: 60, max: 1000 * DAY };
    const profile = { ...PROFILES.vehicle, lifetimeSeconds: generous, backdateSeconds: 100 * DAY };
    const { notBefore, notAfter } = decide({ request: { lifetimeSeconds: 999 * DAY }, profile });
    expect({ notBefore, notAfter }).toEqual({
      notBefore: fleet.vehicleCa.certificate.notBefore,
      notAfter: fleet.vehicleCa.certificate.notAfter,
    });
  });

  it('takes no key whose private half anyone knows', () => {
    // RFC 8032 §7.1, test 1.
    const d = 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A';
    const jwk = { kty: 'OKP', crv: 'Ed25519', d, x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
    const keys = {
      privateKey: createPrivateKey({ key: jwk, format: 'jwk' }),
      publicKey: createPublicKey({ key: jwk, format: 'jwk' }),
    };
    expect(() => decide({ keys })).toThrow(expect.objectContaining({ code: 'x509.key_unsupported' }));
  });

  it.each<[ProfileName, number]>([
    ['vehicle-short', 600],
    ['vehicle', DAY],
    ['vehicle-week', 7 * DAY],
  ])('gives a certificate of %s its usual life', (profile, seconds) => {
    expect(decide({ request: { profile } }).notAfter).toEqual(inSeconds(seconds));
  });

  it.each<[string, Case, string]>([
    ['a vehicle certificate for command', { requester: 'command' }, 'ca.requester_refused'],
    ['anything for revocation', { requester: 'revocation' }, 'ca.requester_refused'],
    [
      'a command signer for provisioning',
      { subject: 'command', request: { profile: 'command-signer', deviceId: undefined } },
      'ca.requester_refused',
    ],
    ['an authority that signs other profiles', { issuerProfile: 'control-ca' }, 'ca.request_refused'],
    ['another device’s name', { subject: 'device-99999' }, 'ca.request_refused'],
    [
      'another device’s URI',
      { sanUris: [OWN_URI, 'spiffe://fleet.example.com/vehicle/device-99999'] },
      'ca.request_refused',
    ],
    ['a service’s URI', { sanUris: ['spiffe://fleet.example.com/service/command'] }, 'ca.request_refused'],
    ['a vehicle certificate without a device', { request: { deviceId: undefined } }, 'ca.request_refused'],
    [
      'a command signer with a device',
      { requester: 'command', subject: 'command', request: { profile: 'command-signer' } },
      'ca.request_refused',
    ],
    [
      'an Ed25519 command signer',
      {
        requester: 'command',
        subject: 'command',
        keyType: 'Ed25519',
        request: { profile: 'command-signer', deviceId: undefined },
      },
      'x509.key_unsupported',
    ],
  ])('refuses %s', (_, given, code) => {
    expect(() => decide(given)).toThrow(expect.objectContaining({ code }));
  });
});
