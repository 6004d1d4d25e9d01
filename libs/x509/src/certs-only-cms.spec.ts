import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateSet, ContentInfo, SignedData } from '@peculiar/asn1-cms';
import { AsnConvert } from '@peculiar/asn1-schema';
import { certsOnlyCms, parseCertsOnlyCms } from './certs-only-cms.js';
import { type Fleet, hasOpenssl, newFleet } from './fleet.fixture.js';
import { toPem } from './pem.js';

let fleet: Fleet;
let ders: Uint8Array[];
beforeAll(async () => {
  fleet = await newFleet();
  ders = [fleet.vehicle, fleet.vehicleCa, fleet.root].map(({ certificate }) => certificate.der);
});

describe('certs-only CMS', () => {
  it('gives back the certificates in their order, from DER, PEM and base64', () => {
    const cms = certsOnlyCms(ders);
    for (const input of [cms, toPem(cms, 'PKCS7'), toPem(cms, 'CMS'), Buffer.from(cms).toString('base64')]) {
      expect(parseCertsOnlyCms(input)).toEqual(ders);
    }
  });

  it('is read by the ASN.1 library as we meant it', () => {
    const info = AsnConvert.parse(certsOnlyCms(ders), ContentInfo);
    const signedData = AsnConvert.parse(info.content, SignedData);
    expect(signedData).toMatchObject({ version: 1, signerInfos: [] });
    expect(signedData.certificates).toBeInstanceOf(CertificateSet);
    expect(signedData.certificates).toHaveLength(3);
  });

  it('refuses anything that is not certs-only', () => {
    const cms = certsOnlyCms(ders);
    const withSigner = Uint8Array.from(cms);
    withSigner[withSigner.length - 2] = 0x30;
    for (const input of [withSigner, ders[0]!, new Uint8Array(), 'MA==', Uint8Array.from([...cms, 0])]) {
      expect(() => parseCertsOnlyCms(input)).toThrow(expect.objectContaining({ code: 'x509.malformed' }));
    }
  });
});

const withOpenssl = hasOpenssl() ? describe : describe.skip;
withOpenssl('certs-only CMS and openssl (skipped where openssl is not on the PATH)', () => {
  it('openssl pkcs7 prints our certificates, and we read what openssl bundles', () => {
    const printed = execFileSync('openssl', ['pkcs7', '-inform', 'DER', '-print_certs'], { input: certsOnlyCms(ders) });
    expect(printed.toString().match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
    const pems = ders.map((der) => toPem(der, 'CERTIFICATE')).join('');
    const folder = mkdtempSync(join(tmpdir(), 'outrider-cms-'));
    try {
      writeFileSync(join(folder, 'certs.pem'), pems);
      const bundle = execFileSync('openssl', ['crl2pkcs7', '-nocrl', '-certfile', join(folder, 'certs.pem')]);
      const hexOf = (list: readonly Uint8Array[]) => new Set(list.map((der) => Buffer.from(der).toString('hex')));
      expect(hexOf(parseCertsOnlyCms(bundle.toString()))).toEqual(hexOf(ders));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
