/** The lint that every certificate passes before a CA key touches it: reads the whole certificate back and holds it to its profile and its issuer. */
import { DomainError } from '@outrider/errors';
import type { SerialNumber } from '@outrider/ids';
import { type DerNode, readDer, TAG } from './der-read.js';
import { hex, sameBytes, sequenceOf } from './der-values.js';
import { keyIdentifier } from './key-identifier.js';
import { lintNames, lintPointers } from './lint-names.js';
import { OID } from './oids.js';
import { type ParsedCertificate, parseCertificate } from './parse-certificate.js';
import { type CertificateProfile, isOcspSigner } from './profile-schema.js';
import { importPublicKey } from './public-key.js';
import { isWeakKey } from './weak-keys.js';

/** What an authority knows beyond the certificate itself. */
export interface LintRules {
  /** The certificate of the authority that signs. */
  readonly issuer: ParsedCertificate;
  /** Keys that nobody may be certified for: those of authorities, those known to be compromised. */
  readonly isKeyBlocked: (keyThumbprint: string) => boolean;
  /** Whether this issuer has used that serial number already. */
  readonly isSerialTaken: (serialNumber: SerialNumber) => boolean;
}

const CRITICAL: readonly string[] = [OID.basicConstraints, OID.keyUsage];
const NON_CRITICAL: readonly string[] = [
  OID.subjectKeyIdentifier,
  OID.authorityKeyIdentifier,
  OID.extendedKeyUsage,
  OID.subjectAltName,
  OID.crlDistributionPoints,
  OID.authorityInfoAccess,
  OID.ocspNoCheck,
];
const MIN_SERIAL_BYTES = 8;
/** 64 random bits hold fewer distinct bytes than this once in 10^9 times, 128 bits never; a counter or a padded number almost always does. */
const MIN_DISTINCT_SERIAL_BYTES = 5;

/**
 * @param der a whole certificate; by whose key it is signed plays no part.
 * @param rules when an authority of the fleet signs; a ceremony's first certificates have none.
 * @returns one sentence a finding; empty when the certificate may be signed.
 */
export function lintCertificate(der: Uint8Array, profile: CertificateProfile, rules?: LintRules): string[] {
  return readLinted(der, profile, rules).findings;
}

/** The same, with the certificate as the lint read it; undefined where it could not be read. */
export function readLinted(
  der: Uint8Array,
  profile: CertificateProfile,
  rules?: LintRules,
): { readonly findings: string[]; readonly certificate: ParsedCertificate | undefined } {
  try {
    const certificate = parseCertificate(der);
    return { findings: lintParsed(certificate, profile, rules), certificate };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { findings: [error.detail ?? error.title], certificate: undefined };
  }
}

/** The same for a certificate that has been read. @throws DomainError for a key that cannot be imported. */
export function lintParsed(certificate: ParsedCertificate, profile: CertificateProfile, rules?: LintRules): string[] {
  const fields = readDer(certificate.tbsDer).children;
  return [
    ...lintShape(certificate, fields),
    ...lintNoCheck(certificate, profile),
    ...lintSerialNumber(certificate, rules),
    ...lintTimes(certificate, fields, profile),
    ...lintKey(certificate, profile, rules),
    ...lintUsages(certificate, profile),
    ...lintNames(certificate, profile),
    ...lintPointers(certificate, profile),
    ...(rules ? lintIssuer(certificate, rules.issuer) : []),
  ];
}

function finding(broken: boolean, sentence: string): string[] {
  return broken ? [sentence] : [];
}

function lintShape({ version, issuer, extensions }: ParsedCertificate, fields: readonly DerNode[]): string[] {
  return [
    ...finding(version !== 3, 'not version 3'),
    // Version, serial number, algorithm, issuer, validity, subject, key, extensions: no unique identifiers (RFC 5280 §4.1.2.8).
    ...finding(fields.length !== 8, 'fields beside those of a profile'),
    ...finding(issuer.attributes.length === 0, 'the issuer is empty'),
    ...extensions.flatMap(({ oid, critical }) => [
      ...finding(!CRITICAL.includes(oid) && !NON_CRITICAL.includes(oid), `extension ${oid} is in no profile`),
      ...finding(CRITICAL.includes(oid) !== critical, `extension ${oid} has the wrong criticality`),
    ]),
  ];
}

/** RFC 6960 §4.2.2.2.1: on an OCSP signer always, its value NULL; on anything else it would exempt it from being revoked. */
function lintNoCheck({ extensions }: ParsedCertificate, profile: CertificateProfile): string[] {
  const noCheck = extensions.find(({ oid }) => oid === OID.ocspNoCheck);
  return [
    ...finding(
      (noCheck !== undefined) !== isOcspSigner(profile),
      'OCSP no-check stands on an OCSP signer, and nowhere else',
    ),
    ...finding(noCheck !== undefined && hex(noCheck.value) !== '0500', 'OCSP no-check is not NULL'),
  ];
}

/** RFC 5280 §4.1.2.2, and the 64 bits of a random generator that the Baseline Requirements (7.1) ask for. */
function lintSerialNumber({ serialNumber }: ParsedCertificate, rules: LintRules | undefined): string[] {
  const bytes = Buffer.from(serialNumber, 'hex');
  return [
    ...finding(bytes.length < MIN_SERIAL_BYTES || bytes.length > 20, 'the serial number is not 8 to 20 bytes'),
    ...finding(new Set(bytes).size < MIN_DISTINCT_SERIAL_BYTES, 'the serial number does not look random'),
    ...finding(rules?.isSerialTaken(serialNumber) ?? false, 'the serial number has been used before'),
  ];
}

function lintTimes(
  { notBefore, notAfter }: ParsedCertificate,
  fields: readonly DerNode[],
  profile: CertificateProfile,
): string[] {
  const lifetimeMs = notAfter.getTime() - notBefore.getTime();
  const maxSeconds = profile.lifetimeSeconds.max + profile.backdateSeconds;
  const validity = sequenceOf(fields[4], 'validity');
  const encodedAsDue = [notBefore, notAfter].every(
    (date, i) => (validity[i]?.tag === TAG.utcTime) === date.getUTCFullYear() < 2050,
  );
  return [
    ...finding(lifetimeMs <= 0, 'notAfter is not after notBefore'),
    ...finding(lifetimeMs > maxSeconds * 1000, 'the lifetime exceeds the profile'),
    ...finding(!encodedAsDue, 'a time is not UTCTime before 2050 and GeneralizedTime from then on'),
  ];
}

function lintKey(certificate: ParsedCertificate, profile: CertificateProfile, rules: LintRules | undefined): string[] {
  const { spkiDer, keyAlgorithm, keyThumbprint, subjectKeyId, authorityKeyId, issuer, subject } = certificate;
  importPublicKey(spkiDer);
  const sameName = sameBytes(issuer.der, subject.der);
  const sameKey = authorityKeyId === subjectKeyId;
  return [
    ...finding(
      !profile.keyAlgorithms.some((algorithm) => algorithm === keyAlgorithm),
      `the profile takes no ${keyAlgorithm} key`,
    ),
    ...finding(isWeakKey(spkiDer), 'the key is a weak one that is publicly known'),
    ...finding(rules?.isKeyBlocked(keyThumbprint) ?? false, 'the key is blocked'),
    ...finding(rules?.issuer.keyThumbprint === keyThumbprint, 'the key is that of the issuer'),
    ...finding(subjectKeyId !== hex(keyIdentifier(spkiDer)), 'the subject key identifier is not that of the key'),
    ...finding(authorityKeyId === undefined, 'the authority key identifier is missing'),
    ...finding(sameName !== (profile.selfSigned !== false), 'issuer and subject do not fit the profile'),
    ...finding(profile.selfSigned === true && !sameKey, 'a self-signed certificate names another key'),
    ...finding(profile.selfSigned === 'cross' && sameKey, 'a cross certificate names its own key'),
  ];
}

function lintUsages(certificate: ParsedCertificate, profile: CertificateProfile): string[] {
  const { basicConstraints, keyUsage = [], extendedKeyUsages = [] } = certificate;
  const asProfile =
    basicConstraints?.ca === (profile.ca !== null) && basicConstraints.pathLength === profile.ca?.pathLength;
  return [
    ...finding(!asProfile, 'basic constraints differ from the profile'),
    ...finding(!sameSet(keyUsage, profile.keyUsage), 'key usage differs from the profile'),
    ...finding(!sameSet(extendedKeyUsages, profile.extendedKeyUsages), 'extended key usage differs from the profile'),
  ];
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && b.every((member) => a.includes(member));
}

/** What a chain of the two would be refused for. */
function lintIssuer(certificate: ParsedCertificate, issuer: ParsedCertificate): string[] {
  const { basicConstraints, extendedKeyUsages: given = [] } = certificate;
  const pathLength = issuer.basicConstraints?.pathLength;
  const allowed = issuer.extendedKeyUsages;
  return [
    ...finding(!sameBytes(certificate.issuer.der, issuer.subject.der), 'the issuer is not named as in its certificate'),
    ...finding(
      certificate.authorityKeyId !== issuer.subjectKeyId,
      'the authority key identifier is not that of the issuer',
    ),
    ...finding(
      !issuer.basicConstraints?.ca || !issuer.keyUsage?.includes('keyCertSign'),
      'the issuer may not sign certificates',
    ),
    ...finding(basicConstraints?.ca === true && pathLength === 0, 'the issuer may sign no authority'),
    ...finding(certificate.notBefore < issuer.notBefore, 'the certificate begins before its issuer'),
    ...finding(certificate.notAfter > issuer.notAfter, 'the certificate outlives its issuer'),
    ...finding(
      allowed !== undefined && !given.every((usage) => allowed.includes(usage)),
      'the issuer may not sign for this extended key usage',
    ),
  ];
}
