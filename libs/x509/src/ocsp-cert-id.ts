/** How OCSP names a certificate (RFC 6960 §4.1.1): hashes of its issuer's name and key, and its serial number. */
import { hash } from 'node:crypto';
import type { SerialNumber } from '@outrider/ids';
import { type DerNode, malformed, readDer, TAG } from './der-read.js';
import { bitStringBytes, expectTag, hex, oidOf, sequenceOf } from './der-values.js';
import { derNull, objectIdentifier, octetString, sequence, unsignedInteger } from './der-write.js';
import type { CertificateIssuer } from './issue-certificate.js';
import { OID } from './oids.js';
import { readSerialNumber } from './parse-certificate.js';

/** SHA-1 is what RFC 5019 §2.1.1 asks for; it names, it proves nothing. */
export const OCSP_HASHES = ['sha1', 'sha256'] as const;
export type OcspHash = (typeof OCSP_HASHES)[number];

const OID_BY_HASH: Readonly<Record<OcspHash, string>> = { sha1: OID.sha1, sha256: OID.sha256 };
const MAX_HASH_BYTES = 64;

export interface OcspCertId {
  /** Undefined for an algorithm that we do not compute: its issuer is nobody we know. */
  readonly hashAlgorithm: OcspHash | undefined;
  /** Hex. */
  readonly issuerNameHash: string;
  readonly issuerKeyHash: string;
  readonly serialNumber: SerialNumber;
  /** As it was sent: a response repeats it to the byte. */
  readonly der: Uint8Array;
}

/** What tells an issuer from others in a CertID. */
export interface OcspIssuerHashes {
  readonly issuerNameHash: string;
  readonly issuerKeyHash: string;
}

/** Hash of the issuer's DER name, and of its public key without tag, length and unused bits. */
export function ocspIssuerHashes(
  issuer: Pick<CertificateIssuer, 'subject' | 'spkiDer'>,
  hashAlgorithm: OcspHash,
): OcspIssuerHashes {
  const issuerNameHash = hash(hashAlgorithm, issuer.subject.der, 'hex');
  return { issuerNameHash, issuerKeyHash: hash(hashAlgorithm, publicKeyBits(issuer.spkiDer), 'hex') };
}

export function publicKeyBits(spkiDer: Uint8Array): Uint8Array {
  return bitStringBytes(sequenceOf(readDer(spkiDer), 'subjectPublicKeyInfo')[1], 'subjectPublicKey');
}

export function encodeOcspCertId(
  issuer: Pick<CertificateIssuer, 'subject' | 'spkiDer'>,
  serialNumber: SerialNumber,
  hashAlgorithm: OcspHash = 'sha1',
): Uint8Array {
  const { issuerNameHash, issuerKeyHash } = ocspIssuerHashes(issuer, hashAlgorithm);
  return sequence(
    sequence(objectIdentifier(OID_BY_HASH[hashAlgorithm]), derNull()),
    octetString(Buffer.from(issuerNameHash, 'hex')),
    octetString(Buffer.from(issuerKeyHash, 'hex')),
    unsignedInteger(Buffer.from(serialNumber, 'hex')),
  );
}

/** @throws DomainError `x509.malformed` */
export function readOcspCertId(node: DerNode | undefined): OcspCertId {
  const [algorithm, nameHash, keyHash, serial, ...rest] = sequenceOf(node, 'CertID');
  if (rest.length > 0) throw malformed('a CertID has four parts');
  const [type, parameters, ...more] = sequenceOf(algorithm, 'hashAlgorithm');
  if (more.length > 0 || (parameters && parameters.tag !== TAG.null)) throw malformed('a hash takes no parameters');
  const oid = oidOf(type, 'hashAlgorithm');
  return {
    hashAlgorithm: OCSP_HASHES.find((name) => OID_BY_HASH[name] === oid),
    issuerNameHash: hashOf(nameHash, 'issuerNameHash'),
    issuerKeyHash: hashOf(keyHash, 'issuerKeyHash'),
    serialNumber: readSerialNumber(serial),
    der: (node as DerNode).der,
  };
}

function hashOf(node: DerNode | undefined, what: string): string {
  const { content } = expectTag(node, TAG.octetString, what);
  if (content.length === 0 || content.length > MAX_HASH_BYTES) throw malformed(`${what} is no hash`);
  return hex(content);
}
