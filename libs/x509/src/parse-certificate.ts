/** Parses one X.509 certificate (RFC 5280 §4.1), strictly and bounded; says what it holds, not whether to believe it. */
import { keyThumbprint, thumbprint } from '@outrider/crypto';
import type { SerialNumber, Thumbprint } from '@outrider/ids';
import { type DerNode, malformed, readDer, TAG } from './der-read.js';
import { bitStringBytes, expectTag, hex, sameBytes, sequenceOf, smallIntegerOf, timeOf } from './der-values.js';
import { type DistinguishedName, readName, singleAttribute } from './distinguished-name.js';
import { type CertificateExtensions, readExtensions } from './extensions.js';
import { OID } from './oids.js';
import { derOf, pemBlocks } from './pem.js';
import { type CertificateKeyAlgorithm, keyAlgorithmOf, readAlgorithmIdentifier } from './public-key.js';

export interface ParsedCertificate extends Omit<CertificateExtensions, 'all' | 'subjectAltName'> {
  readonly der: Uint8Array;
  readonly tbsDer: Uint8Array;
  readonly version: 1 | 2 | 3;
  /** SHA-256 of the certificate, base64url (`x5t#S256`). */
  readonly thumbprint: Thumbprint;
  /** SHA-256 of the SubjectPublicKeyInfo, base64url: the same for every certificate of one key. */
  readonly keyThumbprint: string;
  readonly serialNumber: SerialNumber;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** Undefined when absent or given more than once. */
  readonly subjectCommonName: string | undefined;
  /** The X.520 serialNumber attribute of the subject (802.1AR), not the certificate's serial number. */
  readonly subjectSerialNumber: string | undefined;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly spkiDer: Uint8Array;
  readonly keyAlgorithm: CertificateKeyAlgorithm;
  readonly sanUris: readonly string[];
  readonly sanDns: readonly string[];
  readonly sanIps: readonly string[];
  /** Context tags of SAN forms other than URI, DNS and IP. */
  readonly sanOtherForms: readonly number[];
  readonly extensions: CertificateExtensions['all'];
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

/**
 * @param input DER bytes, PEM text with one CERTIFICATE block, or bare base64; at most 16 KiB of DER.
 * @throws DomainError `x509.malformed`
 */
export function parseCertificate(input: Uint8Array | string): ParsedCertificate {
  const der = derOf(input, 'CERTIFICATE');
  const [tbs, outerAlgorithm, signature, ...rest] = sequenceOf(readDer(der), 'certificate');
  if (tbs === undefined || rest.length > 0) throw malformed('a certificate has three parts');
  const algorithm = readAlgorithmIdentifier(outerAlgorithm, 'signatureAlgorithm');
  const fields = readTbsCertificate(tbs);
  // RFC 5280 §4.1.1.2: the unsigned copy must say what the signed one says.
  if (!sameBytes(fields.signatureAlgorithmDer, algorithm.der)) throw malformed('the two signature algorithms differ');
  const { signatureAlgorithmDer: _, ...described } = fields;
  return {
    ...described,
    der,
    tbsDer: tbs.der,
    thumbprint: thumbprint(der),
    signatureAlgorithm: algorithm.oid,
    signature: bitStringBytes(signature, 'signature'),
  };
}

/** Every certificate of a PEM file, in order. */
export function parseCertificates(pem: string): ParsedCertificate[] {
  return pemBlocks(pem, 'CERTIFICATE').map((der) => parseCertificate(der));
}

export type TbsCertificate = Omit<
  ParsedCertificate,
  'der' | 'thumbprint' | 'signatureAlgorithm' | 'signature' | 'tbsDer'
> & {
  readonly signatureAlgorithmDer: Uint8Array;
};

/** Reads `TBSCertificate`; used by itself where a certificate is looked at before it is signed. */
export function readTbsCertificate(tbs: DerNode): TbsCertificate {
  const parts = [...sequenceOf(tbs, 'tbsCertificate')];
  const version = readVersion(parts[0]?.tag === 0xa0 ? parts.shift() : undefined);
  const [serial, algorithm, issuer, validity, subject, spki, ...optional] = parts;
  const [notBefore, notAfter, ...extra] = sequenceOf(validity, 'validity');
  if (extra.length > 0) throw malformed('validity has more than two times');
  const spkiDer = expectTag(spki, TAG.sequence, 'subjectPublicKeyInfo').der;
  const { all, subjectAltName, ...extensions } = readExtensions(extensionsOf(optional, version));
  const subjectName = readName(subject, 'subject');
  return {
    ...extensions,
    version,
    keyThumbprint: keyThumbprint(spkiDer),
    serialNumber: readSerialNumber(serial),
    signatureAlgorithmDer: readAlgorithmIdentifier(algorithm, 'signature').der,
    issuer: readName(issuer, 'issuer'),
    subject: subjectName,
    subjectCommonName: singleAttribute(subjectName, OID.commonName),
    subjectSerialNumber: singleAttribute(subjectName, OID.serialNumber),
    notBefore: timeOf(notBefore, 'notBefore'),
    notAfter: timeOf(notAfter, 'notAfter'),
    spkiDer,
    keyAlgorithm: keyAlgorithmOf(spkiDer),
    sanUris: subjectAltName.uris,
    sanDns: subjectAltName.dnsNames,
    sanIps: subjectAltName.ipAddresses,
    sanOtherForms: subjectAltName.otherForms,
    extensions: all,
  };
}

function readVersion(node: DerNode | undefined): 1 | 2 | 3 {
  if (node === undefined) return 1;
  const version = smallIntegerOf(node.children[0], 'version');
  if (node.children.length !== 1 || (version !== 1 && version !== 2)) throw malformed('no version of X.509');
  return version === 1 ? 2 : 3;
}

function extensionsOf(optional: readonly DerNode[], version: 1 | 2 | 3): DerNode | undefined {
  const tags = optional.map(({ tag }) => tag);
  const inOrder = tags.every((tag, i) => (tag === 0x81 || tag === 0x82 || tag === 0xa3) && tag > (tags[i - 1] ?? 0));
  if (!inOrder || (tags.length > 0 && version === 1)) throw malformed('unexpected fields at the end of tbsCertificate');
  const wrapped = optional.find(({ tag }) => tag === 0xa3);
  if (wrapped === undefined) return undefined;
  if (version !== 3 || wrapped.children.length !== 1) throw malformed('extensions where none may be');
  return wrapped.children[0];
}

/** RFC 5280 §4.1.2.2: not negative, at most 20 bytes. Zero is let through: old roots have it. */
export function readSerialNumber(node: DerNode | undefined): SerialNumber {
  const { content } = expectTag(node, TAG.integer, 'serialNumber');
  if ((content[0] ?? 0x80) >= 0x80) throw malformed('a negative serial number');
  const magnitude = content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
  if (content.length > 20) throw malformed('a serial number of more than 20 bytes');
  // Shortest form, lower case, one to twenty bytes: what the schema would make of it.
  return hex(magnitude) as SerialNumber;
}
