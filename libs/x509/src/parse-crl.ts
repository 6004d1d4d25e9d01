/** Reads and verifies certificate revocation lists (RFC 5280 §5, §6.3), refusing scopes it does not understand. */
import { DomainError } from '@outrider/errors';
import type { SerialNumber } from '@outrider/ids';
import { CRL_REASONS, type CrlReason, type RevokedEntry } from './crl-entries.js';
import { type DerNode, malformed, readDer, TAG } from './der-read.js';
import { bitStringBytes, hex, sameBytes, sequenceOf, smallIntegerOf, timeOf } from './der-values.js';
import { type DistinguishedName, readName } from './distinguished-name.js';
import { type Extension, readAuthorityKeyId, readDistributionPoints, readExtensionList } from './extensions.js';
import { readGeneralNames } from './general-names.js';
import { OID } from './oids.js';
import { type ParsedCertificate, readSerialNumber } from './parse-certificate.js';
import { derOf } from './pem.js';
import { readAlgorithmIdentifier, verifySignature } from './public-key.js';

const MAX_CRL_BYTES = 4 * 1024 * 1024;

/** What part of the issuer's certificates a list covers (§5.2.5). */
export interface CrlScope {
  readonly uris: readonly string[];
  readonly onlyUserCertificates: boolean;
  readonly onlyCaCertificates: boolean;
  /** onlySomeReasons, indirectCRL or onlyContainsAttributeCerts: scopes that this code does not decide on. */
  readonly unsupported: boolean;
}

export interface ParsedCrl {
  readonly der: Uint8Array;
  readonly tbsDer: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  readonly crlNumber: bigint | undefined;
  /** Of a delta: the full list that it goes on from (§5.2.4). */
  readonly baseCrlNumber: bigint | undefined;
  /** Of a full list: where its deltas are (§5.2.6). */
  readonly freshestCrls: readonly string[];
  readonly authorityKeyId: string | undefined;
  readonly scope: CrlScope | undefined;
  readonly revoked: ReadonlyMap<SerialNumber, RevokedEntry>;
  readonly unknownCriticalExtensions: readonly string[];
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

/**
 * @param input DER or PEM (`X509 CRL`), at most 4 MiB.
 * @throws DomainError `x509.malformed`
 */
export function parseCrl(input: Uint8Array | string): ParsedCrl {
  const der = derOf(input, 'X509 CRL', MAX_CRL_BYTES);
  const [tbs, outer, signature, ...rest] = sequenceOf(readDer(der), 'CRL');
  if (tbs === undefined || rest.length > 0) throw malformed('a CRL has three parts');
  const parts = [...sequenceOf(tbs, 'tbsCertList')];
  const hasVersion = parts[0]?.tag === TAG.integer;
  const version = hasVersion ? smallIntegerOf(parts.shift(), 'version') : 0;
  if (hasVersion && version !== 1) throw malformed('no version of a CRL');
  const inner = readAlgorithmIdentifier(parts.shift(), 'signature');
  const algorithm = readAlgorithmIdentifier(outer, 'signatureAlgorithm');
  if (!sameBytes(inner.der, algorithm.der)) throw malformed('the two signature algorithms differ');
  const issuer = readName(parts.shift(), 'issuer');
  const thisUpdate = timeOf(parts.shift(), 'thisUpdate');
  const nextUpdate = isTime(parts[0]) ? timeOf(parts.shift(), 'nextUpdate') : undefined;
  const revoked = parts[0]?.tag === TAG.sequence ? readEntries(parts.shift(), version) : new Map();
  const extensions = readCrlExtensions(parts.shift(), version);
  if (parts.length > 0) throw malformed('unexpected fields at the end of tbsCertList');
  return {
    der,
    tbsDer: tbs.der,
    issuer,
    thisUpdate,
    nextUpdate,
    revoked,
    ...extensions,
    signatureAlgorithm: algorithm.oid,
    signature: bitStringBytes(signature, 'signature'),
  };
}

function isTime(node: DerNode | undefined): boolean {
  return node?.tag === TAG.utcTime || node?.tag === TAG.generalizedTime;
}

function readEntries(node: DerNode | undefined, version: number): Map<SerialNumber, RevokedEntry> {
  const entries = sequenceOf(node, 'revokedCertificates');
  if (entries.length === 0) throw malformed('an empty list of revoked certificates');
  return new Map(entries.map((entry) => readEntry(entry, version)).map((entry) => [entry.serialNumber, entry]));
}

function readEntry(node: DerNode, version: number): RevokedEntry {
  const [serial, revokedAt, extensions, ...rest] = sequenceOf(node, 'CRL entry');
  if (rest.length > 0 || (extensions !== undefined && version === 0)) throw malformed('a CRL entry with extra parts');
  const list = extensions === undefined ? [] : readExtensionList(extensions);
  const unknown = list.find(({ oid, critical }) => critical && oid !== OID.reasonCode);
  if (unknown) throw malformed(`critical CRL entry extension ${unknown.oid} is not understood`);
  const reason = list.find(({ oid }) => oid === OID.reasonCode);
  return {
    serialNumber: readSerialNumber(serial),
    revokedAt: timeOf(revokedAt, 'revocationDate'),
    reason: reason === undefined ? undefined : readReason(reason),
  };
}

function readReason(extension: Extension): CrlReason {
  const code = smallIntegerOf(readDer(extension.value), 'reasonCode', TAG.enumerated);
  const reason = Object.entries(CRL_REASONS).find(([, number]) => number === code)?.[0];
  if (reason === undefined) throw malformed('no reason code of RFC 5280');
  return reason as CrlReason;
}

type CrlExtensions = Pick<
  ParsedCrl,
  'crlNumber' | 'baseCrlNumber' | 'freshestCrls' | 'authorityKeyId' | 'scope' | 'unknownCriticalExtensions'
>;

const UNDERSTOOD: readonly string[] = [
  OID.crlNumber,
  OID.deltaCrlIndicator,
  OID.freshestCrl,
  OID.authorityKeyIdentifier,
  OID.issuingDistributionPoint,
];

function readCrlExtensions(node: DerNode | undefined, version: number): CrlExtensions {
  if (node !== undefined && (version !== 1 || node.tag !== 0xa0 || node.children.length !== 1)) {
    throw malformed('unexpected fields at the end of tbsCertList');
  }
  const wrapped = node?.children[0];
  const list = wrapped === undefined ? [] : readExtensionList(wrapped);
  const value = (oid: string): DerNode | undefined => {
    const found = list.find((extension) => extension.oid === oid);
    return found === undefined ? undefined : readDer(found.value);
  };
  const aki = value(OID.authorityKeyIdentifier);
  const idp = value(OID.issuingDistributionPoint);
  const freshest = value(OID.freshestCrl);
  const crl = { crlNumber: numberOf(value(OID.crlNumber)), baseCrlNumber: numberOf(value(OID.deltaCrlIndicator)) };
  if (crl.baseCrlNumber !== undefined && (crl.crlNumber === undefined || freshest !== undefined)) {
    throw malformed('a delta has a number of its own and no deltas');
  }
  return {
    ...crl,
    freshestCrls: freshest === undefined ? [] : readDistributionPoints(freshest),
    authorityKeyId: aki === undefined ? undefined : readAuthorityKeyId(aki),
    scope: idp === undefined ? undefined : readScope(idp),
    unknownCriticalExtensions: list
      .filter(({ oid, critical }) => critical && !UNDERSTOOD.includes(oid))
      .map(({ oid }) => oid),
  };
}

function numberOf(node: DerNode | undefined): bigint | undefined {
  if (node === undefined) return undefined;
  if (node.tag !== TAG.integer) throw malformed('the CRL number is no INTEGER');
  return BigInt(`0x${hex(node.content)}`);
}

/** Members of IssuingDistributionPoint by tag: [0] point, [1] user, [2] CA, [3] reasons, [4] indirect, [5] attribute. */
function readScope(value: DerNode): CrlScope {
  const parts = sequenceOf(value, 'issuing distribution point');
  if (parts.length === 0) throw malformed('an empty issuing distribution point');
  const tags = parts.map(({ tag }) => tag & 0x1f);
  if (!tags.every((tag, i) => tag <= 5 && tag > (tags[i - 1] ?? -1)))
    throw malformed('an issuing distribution point out of order');
  const flag = (n: number): boolean => parts.find(({ tag }) => tag === (0x80 | n))?.content[0] === 0xff;
  const scope = { onlyUserCertificates: flag(1), onlyCaCertificates: flag(2) };
  if (scope.onlyUserCertificates && scope.onlyCaCertificates)
    throw malformed('a scope of user and of CA certificates alone');
  const point = parts.find(({ tag }) => tag === 0xa0);
  if (point !== undefined && point.children.length !== 1) throw malformed('a distribution point is one choice');
  const name = point?.children[0];
  const uris = name?.tag === 0xa0 ? readGeneralNames(name.children, 'distribution point').uris : [];
  return { uris, ...scope, unsupported: tags.some((tag) => tag >= 3) };
}

/**
 * Whether `crl` may be believed about `certificate` at `now`: signed by `issuer`, current, in scope, nothing critical unknown.
 * @returns the entry when the certificate is revoked.
 * @throws DomainError `x509.signature_invalid`, `x509.expired`, `x509.extension_invalid` when the list decides nothing.
 */
export function revocationOf(
  certificate: ParsedCertificate,
  crl: ParsedCrl,
  issuer: ParsedCertificate,
  now: Date,
): RevokedEntry | undefined {
  verifyCrl(crl, issuer, now);
  if (crl.baseCrlNumber !== undefined) throw outOfScope('a delta says nothing of what its base says');
  if (!sameBytes(certificate.issuer.der, crl.issuer.der)) throw outOfScope('the list is of another issuer');
  const { scope } = crl;
  const ca = certificate.basicConstraints?.ca ?? false;
  if (scope?.unsupported) throw outOfScope('the list covers a part of its own kind');
  if (scope?.onlyUserCertificates && ca) throw outOfScope('the list covers no CA certificates');
  if (scope?.onlyCaCertificates && !ca) throw outOfScope('the list covers CA certificates alone');
  const partial = scope !== undefined && (scope.onlyUserCertificates || scope.onlyCaCertificates);
  if (partial && certificate.version !== 3) throw outOfScope('a certificate that does not say whether it is a CA');
  const points = certificate.crlDistributionPoints;
  if (scope !== undefined && scope.uris.length > 0 && !scope.uris.some((uri) => points.includes(uri))) {
    throw outOfScope('the list is of another distribution point');
  }
  return crl.revoked.get(certificate.serialNumber);
}

function outOfScope(detail: string): DomainError {
  return new DomainError('x509.extension_invalid', { detail });
}

/** @throws DomainError `x509.signature_invalid`, `x509.expired`, `x509.extension_invalid` */
export function verifyCrl(crl: ParsedCrl, issuer: ParsedCertificate, now: Date): void {
  const named = sameBytes(crl.issuer.der, issuer.subject.der);
  const maySign = issuer.keyUsage === undefined || issuer.keyUsage.includes('cRLSign');
  if (!named || !maySign || !verifySignature(crl.signatureAlgorithm, issuer.spkiDer, crl.tbsDer, crl.signature)) {
    throw new DomainError('x509.signature_invalid', { detail: 'the list is not signed by this issuer' });
  }
  if (crl.unknownCriticalExtensions.length > 0) {
    throw outOfScope(`critical extension ${crl.unknownCriticalExtensions[0]} is not understood`);
  }
  if (now < crl.thisUpdate || (crl.nextUpdate !== undefined && now > crl.nextUpdate)) {
    throw new DomainError('x509.expired', { detail: 'the list is not current' });
  }
}
