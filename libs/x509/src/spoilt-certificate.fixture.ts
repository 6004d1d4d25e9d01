/** A vehicle certificate with one thing wrong, and what the lint says of it. */
import { signDer } from '@outrider/crypto';
import { SerialNumber } from '@outrider/ids';
import { bitString, objectIdentifier, sequence } from './der-write.js';
import { commonName, NOW, newFleet, newKeyPair, newSerial, vehicleOverrides } from './fleet.fixture.js';
import { type CertificateDescription, encodeTbsCertificate } from './issue-certificate.js';
import { type LintRules, lintCertificate } from './lint-certificate.js';
import { PROFILES } from './profiles.js';
import { encodeSignatureAlgorithm, signatureAlgorithmFor } from './public-key.js';
import { FIELD, joined, partsOf } from './tbs-parts.fixture.js';

const throwaway = newKeyPair('P-256');
const keys = newKeyPair('P-256');
export const TAKEN = SerialNumber.parse('5566778899aabbccddeeff0011223344');
export const fleet = await newFleet();

export const description = (changes: Partial<CertificateDescription> = {}): CertificateDescription => ({
  profile: 'vehicle',
  serialNumber: newSerial(),
  spkiDer: keys.spkiDer,
  notBefore: NOW,
  notAfter: new Date(NOW.getTime() + 3_600_000),
  ...vehicleOverrides('device-12345'),
  subject: commonName('device-12345'),
  ...changes,
});

/** The TBS of a good vehicle certificate with one field replaced. */
export function withField(field: keyof typeof FIELD, der: Uint8Array): Uint8Array {
  const parts = partsOf(encodeTbsCertificate(description(), fleet.vehicleCa.certificate));
  parts.fields[FIELD[field]] = der;
  return joined(parts);
}

/** The same with an extension replaced, or, by undefined, left out. */
export function withExtension(oid: string, der: Uint8Array | undefined): Uint8Array {
  const { fields, extensions } = partsOf(encodeTbsCertificate(description(), fleet.vehicleCa.certificate));
  const encoded = Buffer.from(objectIdentifier(oid));
  const others = extensions.filter((each) => !Buffer.from(each).includes(encoded));
  return joined({ fields, extensions: der === undefined ? others : [...others, der] });
}

export const tbsOf = (changes: Partial<CertificateDescription>) =>
  encodeTbsCertificate(description(changes), fleet.vehicleCa.certificate);

export function lint(tbs: Uint8Array, rules: Partial<LintRules> = {}): string[] {
  const algorithm = encodeSignatureAlgorithm(signatureAlgorithmFor('P-256'));
  const whole = sequence(tbs, algorithm, bitString(signDer(throwaway.privateKey, tbs)));
  return lintCertificate(whole, PROFILES.vehicle, {
    issuer: fleet.vehicleCa.certificate,
    isKeyBlocked: (thumbprint) => thumbprint === fleet.controlCa.certificate.keyThumbprint,
    isSerialTaken: (serialNumber) => serialNumber === TAKEN,
    ...rules,
  });
}
