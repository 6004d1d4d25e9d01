/** Issuing: the description of a certificate becomes TBSCertificate bytes by its profile, is linted, and only then signed. */
import { thumbprint } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { SerialNumber } from '@outrider/ids';
import {
  bitString,
  contextConstructed,
  contextPrimitive,
  derNull,
  derTrue,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  time,
  unsignedInteger,
} from './der-write.js';
import { encodeName, type NameAttribute } from './distinguished-name.js';
import { KEY_USAGES, type KeyUsage } from './extensions.js';
import { encodeGeneralNames } from './general-names.js';
import { keyIdentifier } from './key-identifier.js';
import { type LintRules, readLinted } from './lint-certificate.js';
import { OID } from './oids.js';
import type { ParsedCertificate } from './parse-certificate.js';
import { type CertificateProfile, isOcspSigner } from './profile-schema.js';
import { PROFILES, type ProfileName } from './profiles.js';
import { encodeSignatureAlgorithm, keyAlgorithmOf, signatureAlgorithmFor, verifySignature } from './public-key.js';

/** Whose name and key stand as issuer: a CA's certificate has these members; a self-signed one gives `'self'`. */
export type CertificateIssuer = Pick<ParsedCertificate, 'subject' | 'spkiDer' | 'subjectKeyId'>;

export interface CertificateDescription {
  /** By name one of the product's own; a further one by itself. */
  readonly profile: ProfileName | CertificateProfile;
  /** 128 random bits from the caller (RFC 5280 §4.1.2.2 wants at least 64 of a CSPRNG in practice). */
  readonly serialNumber: SerialNumber;
  readonly subject: readonly NameAttribute[];
  readonly spkiDer: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly sanUri?: string;
  readonly sanDns?: readonly string[];
  readonly sanIps?: readonly string[];
  readonly crlUrl?: string;
  readonly ocspUrl?: string;
}

/** Returns the signature over `tbs` by the issuer's key: DER for ECDSA, 64 bytes for Ed25519. */
export type SignTbs = (tbs: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** A key that certifies nothing: what it signs is linted and thrown away. */
export interface ThrowawayKey {
  readonly sign: (tbs: Uint8Array) => Uint8Array;
}

/** How an authority of the fleet has its certificates linted. */
export interface Linting {
  readonly rules: LintRules;
  /** Of the same type as the issuer's key. */
  readonly throwaway: ThrowawayKey;
}

/**
 * The bytes to be signed are first signed by a throwaway key, and the certificate that results is read and linted whole. Then the
 * very same bytes are signed by the issuer, and the signature is verified under its public key before anyone sees it.
 * @param linting left out where there is no authority yet to lint for (the first certificates of a ceremony, tests): the lint then
 * knows the profile alone, and the placeholder of a signature.
 * @throws DomainError `ca.lint_failed` before the issuer's key is used; `x509.key_unsupported` for an issuer key that we do not
 * sign with; `ca.signature_wrong` when what the key returned is not its signature.
 */
export async function issueCertificate(
  description: CertificateDescription,
  issuer: CertificateIssuer | 'self',
  sign: SignTbs,
  linting?: Linting,
): Promise<ParsedCertificate> {
  const tbs = encodeTbsCertificate(description, issuer);
  const issuerSpki = issuer === 'self' ? description.spkiDer : issuer.spkiDer;
  const algorithm = signatureAlgorithmFor(keyAlgorithmOf(issuerSpki));
  const whole = (signature: Uint8Array) => sequence(tbs, encodeSignatureAlgorithm(algorithm), bitString(signature));
  const rehearsal = whole(linting ? linting.throwaway.sign(tbs) : PLACEHOLDER);
  const { findings, certificate: linted } = readLinted(rehearsal, profileOf(description), linting?.rules);
  if (!linted || findings.length > 0) throw new DomainError('ca.lint_failed', { detail: findings.join('; ') });
  const signature = Uint8Array.from(await sign(tbs));
  if (!verifySignature(algorithm.oid, issuerSpki, tbs, signature)) {
    throw new DomainError('ca.signature_wrong', { detail: 'what the key returned is not its signature' });
  }
  // The bytes that were read and linted, but for the signature, which was looked at just now.
  const der = whole(signature);
  return { ...linted, der, tbsDer: tbs, signature, thumbprint: thumbprint(der) };
}

const PLACEHOLDER = new Uint8Array(64);

function profileOf({ profile }: CertificateDescription): CertificateProfile {
  return typeof profile === 'string' ? PROFILES[profile] : profile;
}

function issuerKey(description: CertificateDescription, issuer: CertificateIssuer | 'self') {
  return keyAlgorithmOf(issuer === 'self' ? description.spkiDer : issuer.spkiDer);
}

/** DER of the TBSCertificate that would be signed. */
export function encodeTbsCertificate(
  description: CertificateDescription,
  issuer: CertificateIssuer | 'self',
): Uint8Array {
  const subject = encodeName(description.subject);
  const algorithm = signatureAlgorithmFor(issuerKey(description, issuer));
  return sequence(
    contextConstructed(0, integer(2)),
    unsignedInteger(Buffer.from(description.serialNumber, 'hex')),
    encodeSignatureAlgorithm(algorithm),
    issuer === 'self' ? subject : issuer.subject.der,
    sequence(time(description.notBefore), time(description.notAfter)),
    subject,
    description.spkiDer,
    contextConstructed(3, sequence(...encodeExtensions(description, issuer, profileOf(description)))),
  );
}

function encodeExtensions(
  description: CertificateDescription,
  issuer: CertificateIssuer | 'self',
  profile: CertificateProfile,
): Uint8Array[] {
  const subjectKeyId = keyIdentifier(description.spkiDer);
  const authorityKeyId = issuer === 'self' ? subjectKeyId : issuerKeyId(issuer);
  const extensions = [
    extension(OID.basicConstraints, 'critical', encodeBasicConstraints(profile)),
    extension(OID.keyUsage, 'critical', encodeKeyUsage(profile.keyUsage)),
    extension(OID.subjectKeyIdentifier, 'non-critical', octetString(subjectKeyId)),
    extension(OID.authorityKeyIdentifier, 'non-critical', sequence(contextPrimitive(0, authorityKeyId))),
  ];
  if (profile.extendedKeyUsages.length > 0) {
    const usages = sequence(...profile.extendedKeyUsages.map(objectIdentifier));
    extensions.push(extension(OID.extendedKeyUsage, 'non-critical', usages));
  }
  const { sanUri, sanDns = [], sanIps = [], crlUrl, ocspUrl } = description;
  if (sanUri !== undefined || sanDns.length > 0 || sanIps.length > 0) {
    const uris = sanUri === undefined ? [] : [sanUri];
    const names = encodeGeneralNames({ uris, dnsNames: sanDns, ipAddresses: sanIps });
    extensions.push(extension(OID.subjectAltName, 'non-critical', names));
  }
  if (crlUrl !== undefined) extensions.push(extension(OID.crlDistributionPoints, 'non-critical', encodeCrlUrl(crlUrl)));
  if (ocspUrl !== undefined)
    extensions.push(extension(OID.authorityInfoAccess, 'non-critical', encodeOcspUrl(ocspUrl)));
  // RFC 6960 §4.2.2.2.1: nobody asks the delegate about itself; its life is short instead.
  if (isOcspSigner(profile)) extensions.push(extension(OID.ocspNoCheck, 'non-critical', derNull()));
  return extensions;
}

export function issuerKeyId(issuer: CertificateIssuer): Uint8Array {
  return issuer.subjectKeyId === undefined ? keyIdentifier(issuer.spkiDer) : Buffer.from(issuer.subjectKeyId, 'hex');
}

export function extension(oid: string, criticality: 'critical' | 'non-critical', value: Uint8Array): Uint8Array {
  const critical = criticality === 'critical' ? [derTrue()] : [];
  return sequence(objectIdentifier(oid), ...critical, octetString(value));
}

function encodeBasicConstraints(profile: CertificateProfile): Uint8Array {
  return profile.ca === null ? sequence() : sequence(derTrue(), integer(profile.ca.pathLength));
}

/** Named bit list: trailing zero bits are left out (X.690 §11.2.2). */
function encodeKeyUsage(usages: readonly KeyUsage[]): Uint8Array {
  const bits = usages.map((usage) => KEY_USAGES.indexOf(usage));
  const highest = Math.max(...bits);
  const octets = new Uint8Array((highest >> 3) + 1);
  for (const bit of bits) octets[bit >> 3] = (octets[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return bitString(octets, 7 - (highest & 7));
}

const uri = (url: string): Uint8Array => contextPrimitive(6, Buffer.from(url, 'latin1'));

function encodeCrlUrl(url: string): Uint8Array {
  return sequence(sequence(contextConstructed(0, contextConstructed(0, uri(url)))));
}

function encodeOcspUrl(url: string): Uint8Array {
  return sequence(sequence(objectIdentifier(OID.ocspAccess), uri(url)));
}
