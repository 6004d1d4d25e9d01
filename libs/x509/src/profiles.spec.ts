import 'reflect-metadata';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { signDer } from '@outrider/crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { commonName, hasOpenssl, issue, NOW, newKeyPair, newSerial, type Party } from './fleet.fixture.js';
import { type CertificateDescription, issueCertificate } from './issue-certificate.js';
import { OID } from './oids.js';
import type { ParsedCertificate } from './parse-certificate.js';
import { toPem } from './pem.js';
import { PROFILE_NAMES, PROFILES, type ProfileName } from './profiles.js';

const DAY_MS = 86_400_000;
const KEYS = { 'P-256': newKeyPair('P-256'), 'P-384': newKeyPair('P-384'), Ed25519: newKeyPair('Ed25519') } as const;
type KeyType = keyof typeof KEYS;
const throwaways = { 'P-256': newKeyPair('P-256'), 'P-384': newKeyPair('P-384') } as const;

/** One authority of each profile that signs. */
const authorities = new Map<string, Party & { readonly keyType: 'P-256' | 'P-384' }>();

beforeAll(async () => {
  const long = { notBefore: new Date(NOW.getTime() - DAY_MS), notAfter: new Date(NOW.getTime() + 5000 * DAY_MS) };
  const authority = async (profile: ProfileName, keyType: 'P-256' | 'P-384', issuer: Party | 'self') => {
    const subject = commonName(`The ${profile}`);
    authorities.set(profile, { ...(await issue(profile, issuer, newKeyPair(keyType), { ...long, subject })), keyType });
  };
  await authority('root', 'P-384', 'self');
  const root = authorities.get('root') as Party;
  for (const profile of ['vehicle-ca', 'infrastructure-ca', 'control-ca', 'issuing-ca'] as const) {
    await authority(profile, 'P-256', root);
  }
  await authority('factory-ca', 'P-384', 'self');
});

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const deviceId = fc.stringMatching(/^[a-z0-9][a-z0-9-]{2,62}$/);
const anyName = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter(
    (name) =>
      name.trim() === name && [...name].length <= 64 && name.length > 0 && !/\p{C}/u.test(name) && name.isWellFormed(),
  );

/** What the caller of `issueCertificate` may choose freely within each profile. */
const choices = fc.record({
  deviceId,
  anyName,
  organization: fc.option(anyName, { nil: undefined }),
  dns: fc.uniqueArray(
    fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
    { maxLength: 3 },
  ),
  ips: fc.uniqueArray(fc.ipV4(), { minLength: 1, maxLength: 3 }),
  shard: fc.nat(65_535),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
});
type Choices = typeof choices extends fc.Arbitrary<infer T> ? T : never;

function describeBy(
  name: ProfileName,
  keyType: KeyType,
  chosen: Choices,
  issuer: ParsedCertificate | undefined,
): CertificateDescription {
  const profile = PROFILES[name];
  const { min, max } = profile.lifetimeSeconds;
  const lifetimeMs = Math.floor(min + chosen.share * (max - min)) * 1000;
  const service = profile.sanUri === 'command' ? 'command' : chosen.deviceId;
  const uris = { vehicle: `vehicle/${chosen.deviceId}`, service: `service/${service}`, command: 'service/command' };
  const named = profile.ca !== null || profile.sanUri === null;
  const attributes = [
    ...(named && chosen.organization ? [{ type: OID.organizationName, value: chosen.organization }] : []),
    ...commonName(named ? chosen.anyName : service),
    ...(profile.subjectSerialNumber ? [{ type: OID.serialNumber, value: 'DM-000001' }] : []),
  ];
  return {
    profile: name,
    serialNumber: newSerial(),
    subject: profile.selfSigned === 'cross' && issuer ? issuer.subject.attributes : attributes,
    spkiDer: KEYS[keyType].spkiDer,
    notBefore: new Date(NOW.getTime() - profile.backdateSeconds * 1000),
    notAfter: new Date(Math.min(NOW.getTime() + lifetimeMs, issuer?.notAfter.getTime() ?? Number.POSITIVE_INFINITY)),
    ...(profile.sanUri === null ? {} : { sanUri: `spiffe://fleet.example.com/${uris[profile.sanUri]}` }),
    ...(profile.hosts ? { sanDns: chosen.dns, sanIps: chosen.ips } : {}),
    ...(profile.revocationPointers === 'none'
      ? {}
      : { crlUrl: `http://crl.example.com:9105/crl/${chosen.shard}.crl`, ocspUrl: 'http://ocsp.example.com/ocsp' }),
  };
}

/** Issued as an authority of the fleet does: through the lint, with every rule on. */
function certify(name: ProfileName, keyType: KeyType, chosen: Choices): Promise<ParsedCertificate> {
  const by = authorities.get(PROFILES[name].signedBy[0] ?? '');
  const description = describeBy(name, keyType, chosen, by?.certificate);
  if (by === undefined) return issueCertificate(description, 'self', (tbs) => signDer(KEYS[keyType].privateKey, tbs));
  const rules = { issuer: by.certificate, isKeyBlocked: () => false, isSerialTaken: () => false };
  const throwaway = { sign: (tbs: Uint8Array) => signDer(throwaways[by.keyType].privateKey, tbs) };
  return issueCertificate(description, by.certificate, (tbs) => signDer(by.privateKey, tbs), { rules, throwaway });
}

const CASES = PROFILE_NAMES.flatMap((name) =>
  PROFILES[name].keyAlgorithms.map((keyType): [ProfileName, KeyType] => [name, keyType]),
);

describe.each(CASES)('%s with a %s key', (name, keyType) => {
  it('passes its lint whatever its names, and says the same to @peculiar/x509', async () => {
    await fc.assert(
      fc.asyncProperty(choices, async (chosen) => {
        const certificate = await certify(name, keyType, chosen);
        const oracle = new x509.X509Certificate(certificate.der);
        expect(oracle.serialNumber).toBe(certificate.serialNumber);
        expect([oracle.notBefore, oracle.notAfter]).toEqual([certificate.notBefore, certificate.notAfter]);
        expect(oracle.subjectName.getField('CN')).toEqual([certificate.subjectCommonName]);
        expect(Buffer.from(oracle.publicKey.rawData)).toEqual(Buffer.from(certificate.spkiDer));
        expect(oracle.extensions.map(({ type }) => type)).toEqual(certificate.extensions.map(({ oid }) => oid));
        const usages = oracle.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? [];
        // The library prints an arc of 128 bits (our own usage) in a way of its own; openssl is asked below.
        const comparable = (oids: readonly string[]) => oids.map((oid) => (oid.startsWith('2.25.') ? '2.25' : oid));
        expect(comparable([...usages].map(String))).toEqual(comparable(certificate.extendedKeyUsages ?? []));
        const names = oracle.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
        expect(names.filter(({ type }) => type === 'url').map(({ value }) => value)).toEqual(certificate.sanUris);
        expect(names.filter(({ type }) => type === 'dns').map(({ value }) => value)).toEqual(certificate.sanDns);
        const basic = oracle.getExtension(x509.BasicConstraintsExtension);
        expect([basic?.ca, basic?.pathLength]).toEqual([PROFILES[name].ca !== null, PROFILES[name].ca?.pathLength]);
        // The library writes the same bytes from what it has read.
        const again = AsnConvert.serialize(AsnConvert.parse(certificate.der, Certificate));
        expect(Buffer.from(again)).toEqual(Buffer.from(certificate.der));
      }),
      { numRuns: 10 },
    );
  });
});

const PRINTED_USAGE: Readonly<Record<string, string>> = {
  [OID.serverAuth]: 'TLS Web Server Authentication',
  [OID.clientAuth]: 'TLS Web Client Authentication',
  [OID.ocspSigning]: 'OCSP Signing',
};

const withOpenssl = hasOpenssl() ? describe : describe.skip;
withOpenssl('every profile before openssl (skipped where openssl is not on the PATH)', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'outrider-profiles-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const pemFile = (name: string, ...certificates: readonly ParsedCertificate[]) => {
    const file = join(folder, name);
    writeFileSync(file, certificates.map(({ der }) => toPem(der, 'CERTIFICATE')).join(''));
    return file;
  };

  test.each(CASES)('%s with a %s key verifies in strict mode and prints', async (name, keyType) => {
    const [chosen] = fc.sample(choices, { numRuns: 1, seed: 7 });
    const certificate = await certify(name, keyType, chosen as Choices);
    const leaf = pemFile('leaf.pem', certificate);
    const signer = PROFILES[name].signedBy[0];
    const anchors = ['root', 'factory-ca'].map((anchor) => (authorities.get(anchor) as Party).certificate);
    const between = signer ? [(authorities.get(signer) as Party).certificate] : [];
    const at = String(Math.floor(NOW.getTime() / 1000));
    const verify = [
      'verify',
      '-x509_strict',
      '-attime',
      at,
      '-CAfile',
      pemFile('anchors.pem', ...anchors, ...(signer ? [] : [certificate])),
    ];
    const untrusted = between.length > 0 ? ['-untrusted', pemFile('between.pem', ...between)] : [];
    const output = execFileSync('openssl', [...verify, ...untrusted, leaf]);
    expect(output.toString()).toContain('leaf.pem: OK');
    const text = execFileSync('openssl', ['x509', '-noout', '-text', '-in', leaf]).toString();
    expect(text).toContain(PROFILES[name].ca ? 'CA:TRUE' : 'CA:FALSE');
    for (const usage of certificate.extendedKeyUsages ?? []) expect(text).toContain(PRINTED_USAGE[usage] ?? usage);
    if (PROFILES[name].sanUri) expect(text).toContain(`URI:${certificate.sanUris[0]}`);
  });
});
