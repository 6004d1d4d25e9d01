/** PKCS#10 requests (RFC 2986): parsed strictly, their proof of possession checked, and made for our own agents. */
import type { KeyObject } from 'node:crypto';
import { signDer, verificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { type DerNode, malformed, readDer, TAG } from './der-read.js';
import { bitStringBytes, expectTag, oidOf, sequenceOf, smallIntegerOf } from './der-values.js';
import {
  bitString,
  contextConstructed,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  utf8String,
} from './der-write.js';
import {
  type DistinguishedName,
  directoryString,
  encodeName,
  type NameAttribute,
  readName,
  singleAttribute,
} from './distinguished-name.js';
import { type CertificateExtensions, readExtensions } from './extensions.js';
import { encodeGeneralNames } from './general-names.js';
import { OID } from './oids.js';
import { derOf } from './pem.js';
import {
  type CertificateKeyAlgorithm,
  encodeSignatureAlgorithm,
  keyAlgorithmOf,
  readAlgorithmIdentifier,
  signatureAlgorithmFor,
  verifySignature,
} from './public-key.js';

export interface ParsedCertificationRequest {
  readonly der: Uint8Array;
  readonly subject: DistinguishedName;
  readonly subjectCommonName: string | undefined;
  readonly subjectSerialNumber: string | undefined;
  readonly spkiDer: Uint8Array;
  readonly keyThumbprint: string;
  readonly keyAlgorithm: 'P-256' | 'P-384' | 'Ed25519';
  readonly sanUris: readonly string[];
  readonly sanDns: readonly string[];
  readonly sanIps: readonly string[];
  readonly sanOtherForms: readonly number[];
  /** What the requester asks for. A CA signs by profile; this only decides whether the asking is refused. */
  readonly requestedExtensions: CertificateExtensions;
  /** RFC 2985 §5.4.1; EST carries the channel binding in it. Undefined without one. */
  readonly challengePassword: string | undefined;
  /** The types of all attributes, dotted, as they came. */
  readonly attributeTypes: readonly string[];
}

/** A request whose key and signature nobody looked at (RFC 7030 §4.4.1 says to ignore them where the server makes the key). */
export type UnprovenCertificationRequest = Omit<
  ParsedCertificationRequest,
  'der' | 'spkiDer' | 'keyThumbprint' | 'keyAlgorithm'
> & { readonly keyAlgorithm: CertificateKeyAlgorithm };

const REQUEST_KEYS: readonly CertificateKeyAlgorithm[] = ['P-256', 'P-384', 'Ed25519'];

/**
 * Parses a request and verifies its self-signature with the key inside it (proof of possession).
 * @param input DER, PEM (either label) or bare base64 (EST bodies); at most 16 KiB of DER.
 * @throws DomainError `x509.malformed`, `x509.key_unsupported` (RSA, other curves, a point off its curve), `x509.signature_invalid`
 */
export function parseCertificationRequest(input: Uint8Array | string): ParsedCertificationRequest {
  const { der, info, algorithm, signature, subject, spki, attributes } = structureOf(input);
  const spkiDer = spki.der;
  const keyAlgorithm = requestKeyAlgorithm(spkiDer);
  const key = verificationKey(spkiDer);
  const signatureOid = readAlgorithmIdentifier(algorithm, 'signatureAlgorithm').oid;
  if (!verifySignature(signatureOid, spkiDer, info.der, bitStringBytes(signature, 'signature'))) {
    throw new DomainError('x509.signature_invalid', { detail: 'the request is not signed by the key it holds' });
  }
  return { der, ...askedFor(subject, attributes), spkiDer, keyThumbprint: key.keyThumbprint, keyAlgorithm };
}

/**
 * What a request asks for, its key and signature ignored; the key's type stays as a hint.
 * @param input as for `parseCertificationRequest`
 * @throws DomainError `x509.malformed`
 */
export function parseUnprovenRequest(input: Uint8Array | string): UnprovenCertificationRequest {
  const { subject, spki, attributes } = structureOf(input);
  return { ...askedFor(subject, attributes), keyAlgorithm: keyAlgorithmOf(spki.der) };
}

function structureOf(input: Uint8Array | string) {
  const isOldLabel = typeof input === 'string' && input.includes('BEGIN NEW CERTIFICATE REQUEST');
  const der = derOf(input, isOldLabel ? 'NEW CERTIFICATE REQUEST' : 'CERTIFICATE REQUEST');
  const [info, algorithm, signature, ...rest] = sequenceOf(readDer(der), 'request');
  const [version, subject, key, attributes, ...more] = sequenceOf(info, 'certificationRequestInfo');
  if (info === undefined || rest.length > 0 || more.length > 0)
    throw malformed('a request has other parts than RFC 2986');
  if (smallIntegerOf(version, 'version') !== 0) throw malformed('no version of PKCS#10');
  const spki = expectTag(key, TAG.sequence, 'subjectPKInfo');
  return { der, info, algorithm, signature, subject, spki, attributes };
}

function askedFor(subjectNode: DerNode | undefined, attributesNode: DerNode | undefined) {
  const subject = readName(subjectNode, 'subject');
  const attributes = attributesOf(attributesNode);
  const requestedExtensions = readExtensions(singleValue(attributes, OID.extensionRequest, 'extension request'));
  const san = requestedExtensions.subjectAltName;
  const password = singleValue(attributes, OID.challengePassword, 'challenge password');
  return {
    subject,
    subjectCommonName: singleAttribute(subject, OID.commonName),
    subjectSerialNumber: singleAttribute(subject, OID.serialNumber),
    sanUris: san.uris,
    sanDns: san.dnsNames,
    sanIps: san.ipAddresses,
    sanOtherForms: san.otherForms,
    requestedExtensions,
    challengePassword: password && directoryString(password, 'challenge password'),
    attributeTypes: attributes.map(({ type }) => type),
  };
}

function requestKeyAlgorithm(spkiDer: Uint8Array): 'P-256' | 'P-384' | 'Ed25519' {
  const algorithm = keyAlgorithmOf(spkiDer);
  if (!REQUEST_KEYS.includes(algorithm)) {
    throw new DomainError('x509.key_unsupported', { detail: `${algorithm} keys are not certified here` });
  }
  return algorithm as 'P-256' | 'P-384' | 'Ed25519';
}

interface RequestAttribute {
  readonly type: string;
  readonly values: readonly DerNode[];
}

function attributesOf(node: DerNode | undefined): RequestAttribute[] {
  if (node === undefined) return [];
  if (node.tag !== 0xa0) throw malformed('attributes of a request carry tag [0]');
  return node.children.map((attribute) => {
    const [type, values, ...rest] = sequenceOf(attribute, 'attribute');
    if (values?.tag !== TAG.set || rest.length > 0) throw malformed('an attribute is not a type and a set of values');
    return { type: oidOf(type, 'attribute type'), values: values.children };
  });
}

function singleValue(attributes: readonly RequestAttribute[], type: string, what: string): DerNode | undefined {
  const [found, ...more] = attributes.filter((attribute) => attribute.type === type);
  if (more.length > 0) throw malformed(`two attributes: ${what}`);
  if (found && found.values.length !== 1) throw malformed(`not one value: ${what}`);
  return found?.values[0];
}

export interface CertificationRequestDescription {
  /** A common name, or the attributes of the whole subject. */
  readonly subject: string | readonly NameAttribute[];
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo of the same key pair: `publicKey.export({ type: 'spki', format: 'der' })`. */
  readonly publicKey: KeyObject;
  readonly sanUris?: readonly string[];
  /** ASCII; for EST the base64 of the channel binding. */
  readonly challengePassword?: string;
}

/** DER of a request signed by its own key; the key type fixes the algorithm. Deterministic for Ed25519 alone. */
export function createCertificationRequest(description: CertificationRequestDescription): Uint8Array {
  const { subject, privateKey, publicKey, sanUris = [], challengePassword } = description;
  const spkiDer = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
  const algorithm = signatureAlgorithmFor(keyAlgorithmOf(spkiDer));
  const name = typeof subject === 'string' ? [{ type: OID.commonName, value: subject }] : subject;
  const attributes = [
    ...(sanUris.length === 0 ? [] : [sanRequest(sanUris)]),
    ...(challengePassword === undefined ? [] : [passwordAttribute(challengePassword)]),
  ].sort(Buffer.compare);
  const info = sequence(integer(0), encodeName(name), spkiDer, contextConstructed(0, ...attributes));
  return sequence(info, encodeSignatureAlgorithm(algorithm), bitString(signDer(privateKey, info)));
}

function sanRequest(uris: readonly string[]): Uint8Array {
  const names = encodeGeneralNames({ uris, dnsNames: [], ipAddresses: [] });
  const extensions = sequence(sequence(objectIdentifier(OID.subjectAltName), octetString(names)));
  return sequence(objectIdentifier(OID.extensionRequest), setOf([extensions]));
}

/** UTF8String: base64 holds characters that PrintableString has too, but other passwords may not. */
function passwordAttribute(password: string): Uint8Array {
  return sequence(objectIdentifier(OID.challengePassword), setOf([utf8String(password)]));
}
