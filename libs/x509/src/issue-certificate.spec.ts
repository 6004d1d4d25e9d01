import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate } from '@peculiar/asn1-x509';
import {
  commonName,
  type Fleet,
  hasOpenssl,
  issue,
  NOW,
  newFleet,
  newKeyPair,
  vehicleOverrides,
} from './fleet.fixture.js';
import { OID } from './oids.js';
import { parseCertificate } from './parse-certificate.js';
import { toPem } from './pem.js';

let fleet: Fleet;
let folder: string;

function pemFile(name: string, ...ders: readonly Uint8Array[]): string {
  const file = join(folder, name);
  writeFileSync(file, ders.map((der) => toPem(der, 'CERTIFICATE')).join(''));
  return file;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'outrider-x509-'));
  fleet = await newFleet();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('issueCertificate', () => {
  it('writes what the description says', () => {
    const { certificate } = fleet.vehicle;
    expect(certificate).toMatchObject({
      version: 3,
      subjectCommonName: 'device-12345',
      sanUris: ['spiffe://fleet.example.com/vehicle/device-12345'],
      keyUsage: ['digitalSignature'],
      extendedKeyUsages: [OID.clientAuth],
      basicConstraints: { ca: false, pathLength: undefined },
      crlDistributionPoints: ['http://127.0.0.1:9105/crl/0.crl'],
      ocspUrls: ['http://127.0.0.1:9105/ocsp'],
      authorityKeyId: fleet.vehicleCa.certificate.subjectKeyId,
      keyAlgorithm: 'Ed25519',
    });
    expect(certificate.issuer.text).toBe('CN=Vehicle CA');
  });

  it('agrees with node on every field that both read', () => {
    for (const { certificate } of Object.values(fleet)) {
      const oracle = new X509Certificate(certificate.der);
      expect(oracle.serialNumber.toLowerCase()).toBe(certificate.serialNumber);
      expect(oracle.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(
        Buffer.from(certificate.thumbprint, 'base64url').toString('hex'),
      );
      expect(oracle.validFromDate).toEqual(certificate.notBefore);
      expect(oracle.validToDate).toEqual(certificate.notAfter);
      expect(oracle.ca).toBe(certificate.basicConstraints?.ca);
      expect(oracle.publicKey.export({ type: 'spki', format: 'der' })).toEqual(Buffer.from(certificate.spkiDer));
    }
  });

  it('encodes exactly as the ASN.1 library would encode the same certificate again', () => {
    for (const { certificate } of Object.values(fleet)) {
      const schema = AsnConvert.parse(certificate.der, Certificate);
      expect(Buffer.from(AsnConvert.serialize(schema))).toEqual(Buffer.from(certificate.der));
    }
  });

  it('refuses to sign what its profile does not allow, without calling the signer', async () => {
    const keys = newKeyPair('P-256');
    const attempts = [
      { sanUri: 'spiffe://fleet.example.com/vehicle/device-99999' },
      { sanUri: 'spiffe://fleet.example.com/service/device-12345' },
      { sanDns: ['localhost'] },
      { notAfter: new Date(NOW.getTime() + 400 * 86_400_000) },
      { notAfter: new Date(NOW.getTime() - 120_000) },
      { crlUrl: 'https://127.0.0.1/crl' },
      { subject: [...commonName('device-12345'), ...commonName('device-12346')] },
      { subject: [] },
    ];
    for (const attempt of attempts) {
      const overrides = { ...vehicleOverrides('device-12345'), ...attempt };
      await expect(issue('vehicle', fleet.vehicleCa, keys, overrides)).rejects.toMatchObject({
        code: 'ca.lint_failed',
      });
    }
  });

  it('writes times from 2050 on as GeneralizedTime', async () => {
    const overrides = { subject: commonName('Long Root'), notAfter: new Date('2051-01-01T00:00:00Z') };
    const { certificate } = await issue('root', 'self', newKeyPair('P-384'), overrides);
    expect(Buffer.from(certificate.der).includes('20510101000000Z')).toBe(true);
    expect(new X509Certificate(certificate.der).validToDate).toEqual(overrides.notAfter);
  });

  it('keeps a serial number in 20 bytes with its sign byte', () => {
    expect(parseCertificate(fleet.vehicle.certificate.der).serialNumber).toHaveLength(32);
  });
});

const withOpenssl = hasOpenssl() ? describe : describe.skip;
withOpenssl('issueCertificate before openssl (skipped where openssl is not on the PATH)', () => {
  test('openssl verify accepts the chain in strict mode', () => {
    const at = String(Math.floor(NOW.getTime() / 1000));
    const output = execFileSync('openssl', [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslclient',
      '-attime',
      at,
      '-CAfile',
      pemFile('root.pem', fleet.root.certificate.der),
      '-untrusted',
      pemFile('ca.pem', fleet.vehicleCa.certificate.der),
      pemFile('leaf.pem', fleet.vehicle.certificate.der),
    ]);
    expect(output.toString()).toContain('leaf.pem: OK');
  });

  test('openssl prints the extensions as we mean them', () => {
    const text = execFileSync('openssl', [
      'x509',
      '-noout',
      '-text',
      '-in',
      pemFile('v.pem', fleet.vehicle.certificate.der),
    ]);
    const lines = text
      .toString()
      .split('\n')
      .map((line) => line.trim());
    for (const line of [
      'Subject: CN = device-12345',
      'TLS Web Client Authentication',
      'Digital Signature',
      'CA:FALSE',
      'URI:spiffe://fleet.example.com/vehicle/device-12345',
      'URI:http://127.0.0.1:9105/crl/0.crl',
      'OCSP - URI:http://127.0.0.1:9105/ocsp',
    ]) {
      expect(lines).toContain(line);
    }
  });
});
