/** Path validation (RFC 5280 §6.1, without policies): from a leaf to one of the given anchors, or a refusal that says why. */
import { DomainError } from '@outrider/errors';
import { sameBytes } from './der-values.js';
import { checkNameConstraints } from './name-constraints.js';
import { OID } from './oids.js';
import type { ParsedCertificate } from './parse-certificate.js';
import { importPublicKey, verifySignature } from './public-key.js';

export interface ChainOptions {
  readonly now: Date;
  /** What the leaf is used for; or the dotted OID of an extended key usage. `any` looks at no usage at all. */
  readonly purpose: 'clientAuth' | 'serverAuth' | 'any' | { readonly eku: string };
  /** `required` (the default): the leaf must name the purpose. `if-present`: a leaf without the extension serves too (factory certificates). */
  readonly extendedKeyUsage?: 'required' | 'if-present';
  /** `required` (the default): the leaf must name its issuer's key. `if-present`: it need not (factory certificates of plain tools). */
  readonly authorityKeyId?: 'required' | 'if-present';
  /** Intermediates at most; default 4. */
  readonly maxIntermediates?: number;
  /** RSA is for manufacturers' certificates alone; default 3072. */
  readonly minRsaBits?: number;
}

/** Each candidate issuer costs a signature check; crossed and cyclic CAs must not multiply them. */
const MAX_SIGNATURE_CHECKS = 64;
const UNDERSTOOD: readonly string[] = [
  OID.basicConstraints,
  OID.keyUsage,
  OID.extendedKeyUsage,
  OID.subjectAltName,
  OID.crlDistributionPoints,
  OID.nameConstraints,
];
const NEVER_CRITICAL: readonly string[] = [
  OID.authorityKeyIdentifier,
  OID.subjectKeyIdentifier,
  OID.authorityInfoAccess,
];

interface Search {
  readonly intermediates: readonly ParsedCertificate[];
  readonly anchors: readonly ParsedCertificate[];
  readonly options: ChainOptions;
  signatureChecks: number;
  /** The refusals met on the way; the most telling one is reported. */
  readonly refusals: DomainError[];
}

/**
 * @param anchors trusted because the caller says so; their own validity and extensions are checked all the same.
 * @returns the path, leaf first, anchor last.
 * @throws DomainError `x509.expired` when time alone is against an otherwise good path, else `x509.chain_invalid`.
 */
export function validateChain(
  leaf: ParsedCertificate,
  intermediates: readonly ParsedCertificate[],
  anchors: readonly ParsedCertificate[],
  options: ChainOptions,
): ParsedCertificate[] {
  checkLeaf(leaf, options);
  const search: Search = { intermediates, anchors, options, signatureChecks: 0, refusals: [] };
  const path = extend([leaf], search);
  if (path) return path;
  const expired = search.refusals.find(({ code }) => code === 'x509.expired');
  throw expired ?? search.refusals[0] ?? invalid(`no path from ${leaf.subject.text} to an anchor`);
}

function invalid(detail: string): DomainError {
  return new DomainError('x509.chain_invalid', { detail });
}

function checkLeaf(leaf: ParsedCertificate, options: ChainOptions): void {
  checkCommon(leaf, options);
  if (leaf.basicConstraints?.ca) throw invalid('the leaf is a CA');
  if (leaf.keyUsage?.includes('keyCertSign')) throw invalid('the leaf may sign certificates but is no CA');
  if (leaf.authorityKeyId === undefined && options.authorityKeyId !== 'if-present') {
    throw invalid('the leaf names no authority key');
  }
  if (leaf.extensions.some(({ oid }) => oid === OID.nameConstraints)) throw invalid('the leaf holds name constraints');
  if (options.purpose === 'any') return;
  if (leaf.keyUsage && !leaf.keyUsage.includes('digitalSignature')) throw invalid('the leaf may not sign');
  const optional = options.extendedKeyUsage === 'if-present' && leaf.extendedKeyUsages === undefined;
  if (!optional && !leaf.extendedKeyUsages?.includes(purposeOid(options.purpose))) {
    throw invalid('the leaf is not meant for this use');
  }
}

function purposeOid(purpose: Exclude<ChainOptions['purpose'], 'any'>): string {
  return typeof purpose === 'string' ? OID[purpose] : purpose.eku;
}

/** What holds for every certificate of a path, anchors too. */
function checkCommon(certificate: ParsedCertificate, options: ChainOptions): void {
  const name = certificate.subject.text || certificate.thumbprint;
  const refused = certificate.extensions.find(
    ({ oid, critical }) => critical && (NEVER_CRITICAL.includes(oid) || !UNDERSTOOD.includes(oid)),
  );
  if (refused) throw invalid(`${name}: critical extension ${refused.oid} is not understood`);
  if (certificate.version !== 3) throw invalid(`${name}: not version 3`);
  if (/^0+$/.test(certificate.serialNumber)) throw invalid(`${name}: serial number zero`);
  if (certificate.issuer.attributes.length === 0) throw invalid(`${name}: empty issuer`);
  if (certificate.subject.attributes.length === 0 && !isCritical(certificate, OID.subjectAltName)) {
    throw invalid('no subject and no critical SAN');
  }
  if (certificate.keyAlgorithm === 'other') throw invalid(`${name}: key type not allowed`);
  if (certificate.keyAlgorithm === 'RSA') {
    const bits = importPublicKey(certificate.spkiDer).asymmetricKeyDetails?.modulusLength ?? 0;
    const minimum = options.minRsaBits ?? 3072;
    if (bits < minimum) throw invalid(`${name}: RSA key of ${bits} bits, ${minimum} needed`);
  }
}

function isCritical(certificate: ParsedCertificate, extension: string): boolean {
  return certificate.extensions.some(({ oid, critical }) => oid === extension && critical);
}

function checkAuthority(authority: ParsedCertificate, intermediatesBelow: number, options: ChainOptions): void {
  checkCommon(authority, options);
  const name = authority.subject.text;
  if (!authority.basicConstraints?.ca || !isCritical(authority, OID.basicConstraints))
    throw invalid(`${name} is no CA by critical basic constraints`);
  if (authority.keyUsage && !authority.keyUsage.includes('keyCertSign'))
    throw invalid(`${name} may not sign certificates`);
  if (authority.subject.attributes.length === 0) throw invalid('a CA without a name');
  if (authority.subjectKeyId === undefined) throw invalid(`${name} has no subject key identifier`);
  const { pathLength } = authority.basicConstraints;
  if (pathLength !== undefined && intermediatesBelow > pathLength) throw invalid(`${name}: path length exceeded`);
  const { purpose } = options;
  if (purpose !== 'any' && authority.extendedKeyUsages && !allowsPurpose(authority.extendedKeyUsages, purpose)) {
    throw invalid(`${name} is not meant to sign for this use`);
  }
}

const ANY_EXTENDED_KEY_USAGE = '2.5.29.37.0';

function allowsPurpose(usages: readonly string[], purpose: Exclude<ChainOptions['purpose'], 'any'>): boolean {
  return usages.includes(purposeOid(purpose)) || usages.includes(ANY_EXTENDED_KEY_USAGE);
}

/** Depth first: anchors before intermediates, so that the shortest path is found first. */
function extend(path: readonly ParsedCertificate[], search: Search): ParsedCertificate[] | undefined {
  const last = path.at(-1) as ParsedCertificate;
  for (const anchor of search.anchors) {
    if (attempt(() => checkLink(last, anchor, path, search), search)) {
      const complete = [...path, anchor];
      if (attempt(() => checkWhole(complete, search.options.now), search)) return complete;
    }
  }
  if (path.length - 1 >= (search.options.maxIntermediates ?? 4)) return undefined;
  for (const candidate of search.intermediates) {
    if (path.some((member) => sameLogicalAuthority(member, candidate))) continue;
    if (!attempt(() => checkIntermediate(last, candidate, path, search), search)) continue;
    const complete = extend([...path, candidate], search);
    if (complete) return complete;
  }
  return undefined;
}

function attempt(check: () => boolean, search: Search): boolean {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    search.refusals.push(error);
    return false;
  }
}

/** The same name and key again would only make a circle. */
function sameLogicalAuthority(a: ParsedCertificate, b: ParsedCertificate): boolean {
  return a.keyThumbprint === b.keyThumbprint && sameBytes(a.subject.der, b.subject.der);
}

/** False when `issuer` is simply someone else; throws when it is the one named but may not be it. */
function checkLink(
  subject: ParsedCertificate,
  issuer: ParsedCertificate,
  path: readonly ParsedCertificate[],
  search: Search,
): boolean {
  if (!sameBytes(subject.issuer.der, issuer.subject.der)) return false;
  if (subject.authorityKeyId !== undefined && issuer.subjectKeyId !== undefined) {
    if (subject.authorityKeyId !== issuer.subjectKeyId) return false;
  }
  // RFC 5280 §4.2.1.9: self-issued intermediates do not count; the leaf never does.
  const counted = path.slice(1).filter((member) => !sameBytes(member.issuer.der, member.subject.der)).length;
  checkAuthority(issuer, counted, search.options);
  search.signatureChecks += 1;
  if (search.signatureChecks > MAX_SIGNATURE_CHECKS) throw invalid('too many candidate paths');
  if (!verifySignature(subject.signatureAlgorithm, issuer.spkiDer, subject.tbsDer, subject.signature)) {
    throw invalid(`the signature of ${issuer.subject.text} does not verify`);
  }
  return true;
}

function checkIntermediate(
  subject: ParsedCertificate,
  candidate: ParsedCertificate,
  path: readonly ParsedCertificate[],
  search: Search,
): boolean {
  if (!checkLink(subject, candidate, path, search)) return false;
  if (candidate.authorityKeyId === undefined) throw invalid(`${candidate.subject.text} names no authority key`);
  return true;
}

/** What holds only for a path that has reached its anchor: times, so that `x509.expired` is said of otherwise good paths alone, come last. */
function checkWhole(path: readonly ParsedCertificate[], now: Date): boolean {
  checkNameConstraints(path);
  return checkTimes(path, now);
}

function checkTimes(path: readonly ParsedCertificate[], now: Date): boolean {
  for (const certificate of path) {
    const name = certificate.subject.text;
    if (now < certificate.notBefore) throw new DomainError('x509.expired', { detail: `${name} is not yet valid` });
    if (now > certificate.notAfter) throw new DomainError('x509.expired', { detail: `${name} has expired` });
  }
  return true;
}
