/** Certificate extensions (RFC 5280 §4.2): those we know become values, the rest stays listed with its criticality. */
import { type DerNode, malformed, readDer, TAG } from './der-read.js';
import { asciiOf, booleanOf, expectTag, hex, oidOf, sequenceOf, smallIntegerOf } from './der-values.js';
import { type GeneralNames, NO_NAMES, readGeneralNames } from './general-names.js';
import { OID } from './oids.js';

export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

export interface BasicConstraints {
  readonly ca: boolean;
  readonly pathLength: number | undefined;
}

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

export interface CertificateExtensions {
  readonly all: readonly Extension[];
  readonly subjectAltName: GeneralNames;
  /** Undefined when the extension is absent: then every usage is allowed (RFC 5280 §4.2.1.3). */
  readonly keyUsage: readonly KeyUsage[] | undefined;
  readonly extendedKeyUsages: readonly string[] | undefined;
  readonly basicConstraints: BasicConstraints | undefined;
  /** Hex. */
  readonly authorityKeyId: string | undefined;
  readonly subjectKeyId: string | undefined;
  readonly crlDistributionPoints: readonly string[];
  readonly ocspUrls: readonly string[];
}

/** Reads `Extensions ::= SEQUENCE OF Extension`; the same extension twice is malformed (§4.2). */
export function readExtensions(node: DerNode | undefined): CertificateExtensions {
  const all = node === undefined ? [] : readExtensionList(node);
  const extensionValue = (oid: string): DerNode | undefined => {
    const found = all.find((extension) => extension.oid === oid);
    return found === undefined ? undefined : readDer(found.value);
  };
  const map = <T>(oid: string, read: (value: DerNode) => T): T | undefined => {
    const value = extensionValue(oid);
    return value === undefined ? undefined : read(value);
  };
  return {
    all,
    subjectAltName: map(OID.subjectAltName, (value) => nonEmptyNames(value)) ?? NO_NAMES,
    keyUsage: map(OID.keyUsage, readKeyUsage),
    extendedKeyUsages: map(OID.extendedKeyUsage, readExtendedKeyUsage),
    basicConstraints: map(OID.basicConstraints, readBasicConstraints),
    authorityKeyId: map(OID.authorityKeyIdentifier, readAuthorityKeyId),
    subjectKeyId: map(OID.subjectKeyIdentifier, (value) => hex(expectTag(value, TAG.octetString, 'SKI').content)),
    crlDistributionPoints: map(OID.crlDistributionPoints, readDistributionPoints) ?? [],
    ocspUrls: map(OID.authorityInfoAccess, readOcspUrls) ?? [],
  };
}

export function readExtensionList(node: DerNode): Extension[] {
  const items = sequenceOf(node, 'extensions');
  if (items.length === 0) throw malformed('an empty extension list');
  if (items.length > 64) throw malformed('too many extensions');
  const all = items.map(readExtension);
  if (new Set(all.map(({ oid }) => oid)).size !== all.length) throw malformed('an extension occurs twice');
  return all;
}

function readExtension(node: DerNode): Extension {
  const parts = sequenceOf(node, 'extension');
  const oid = oidOf(parts[0], 'extension id');
  const flagged = parts.length === 3 ? parts[1] : undefined;
  if (parts.length !== (flagged ? 3 : 2)) throw malformed(`extension ${oid} has the wrong number of parts`);
  const critical = flagged !== undefined && booleanOf(flagged, `extension ${oid}: critical`);
  // DER: a DEFAULT FALSE is left out. openssl and others keep to it; so must everyone here.
  if (flagged !== undefined && !critical) throw malformed(`extension ${oid} spells out a default`);
  return { oid, critical, value: expectTag(parts.at(-1), TAG.octetString, `extension ${oid}`).content };
}

function nonEmptyNames(value: DerNode): GeneralNames {
  const names = sequenceOf(value, 'SAN');
  if (names.length === 0) throw malformed('an empty SAN');
  return readGeneralNames(names, 'SAN');
}

function readKeyUsage(value: DerNode): KeyUsage[] {
  const { content } = expectTag(value, TAG.bitString, 'keyUsage');
  const bits = content.subarray(1);
  if (bits.length > 2) throw malformed('keyUsage has unknown bits');
  return KEY_USAGES.filter((_, bit) => ((bits[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
}

function readExtendedKeyUsage(value: DerNode): string[] {
  const usages = sequenceOf(value, 'extKeyUsage');
  if (usages.length === 0) throw malformed('an empty extKeyUsage');
  return usages.map((usage) => oidOf(usage, 'extKeyUsage'));
}

function readBasicConstraints(value: DerNode): BasicConstraints {
  const parts = [...sequenceOf(value, 'basicConstraints')];
  const ca = parts[0]?.tag === TAG.boolean && booleanOf(parts.shift() as DerNode, 'cA');
  const pathLength = parts.length > 0 ? smallIntegerOf(parts.shift(), 'pathLenConstraint') : undefined;
  if (parts.length > 0) throw malformed('basicConstraints has more than two parts');
  return { ca, pathLength };
}

export function readAuthorityKeyId(value: DerNode): string | undefined {
  const keyId = sequenceOf(value, 'AKI').find((part) => part.tag === 0x80);
  return keyId === undefined ? undefined : hex(keyId.content);
}

/** URIs of the full names of all points; relative names and CRL issuers other than the CA are not ours to follow. */
export function readDistributionPoints(value: DerNode): string[] {
  return sequenceOf(value, 'CRL distribution points').flatMap((point) => {
    const pointName = sequenceOf(point, 'distribution point').find((part) => part.tag === 0xa0)?.children[0];
    return pointName?.tag === 0xa0 ? readGeneralNames(pointName.children, 'distribution point').uris : [];
  });
}

function readOcspUrls(value: DerNode): string[] {
  const descriptions = sequenceOf(value, 'authority information access');
  if (descriptions.length === 0) throw malformed('an empty authority information access');
  return descriptions.flatMap((description) => {
    const [method, location, ...rest] = sequenceOf(description, 'access description');
    if (location === undefined || rest.length > 0)
      throw malformed('an access description is not a method and a location');
    const isOcspUri = oidOf(method, 'access method') === OID.ocspAccess && location.tag === 0x86;
    return isOcspUri ? [asciiOf(location.content, 'OCSP URL')] : [];
  });
}
