/** The lint that every certificate passes before a CA key touches it: reads the bytes back and holds them to their profile. */
import { isDeepStrictEqual } from 'node:util';
import { DomainError } from '@outrider/errors';
import { type DerNode, readDer, TAG } from './der-read.js';
import { hex, sameBytes, sequenceOf } from './der-values.js';
import { keyIdentifier } from './key-identifier.js';
import { OID } from './oids.js';
import { readTbsCertificate, type TbsCertificate } from './parse-certificate.js';
import type { CertificateProfile } from './profiles.js';
import { importPublicKey } from './public-key.js';

const CRITICAL: readonly string[] = [OID.basicConstraints, OID.keyUsage];
const NON_CRITICAL: readonly string[] = [
  OID.subjectKeyIdentifier,
  OID.authorityKeyIdentifier,
  OID.extendedKeyUsage,
  OID.subjectAltName,
  OID.crlDistributionPoints,
  OID.authorityInfoAccess,
];
const HOUR_MS = 3_600_000;

/**
 * @param tbsDer DER of a TBSCertificate, signed or not yet.
 * @returns one sentence a finding; empty when the certificate may be signed.
 */
export function lintCertificate(tbsDer: Uint8Array, profile: CertificateProfile): string[] {
  try {
    const node = readDer(tbsDer);
    const tbs = readTbsCertificate(node);
    return [
      ...lintShape(tbs),
      ...lintTimes(node, tbs, profile),
      ...lintKey(tbs, profile),
      ...lintUsages(tbs, profile),
      ...lintNames(tbs, profile),
      ...lintPointers(tbs, profile),
    ];
  } catch (error) {
    if (error instanceof DomainError) return [error.detail ?? error.title];
    throw error;
  }
}

function finding(broken: boolean, sentence: string): string[] {
  return broken ? [sentence] : [];
}

function lintShape(tbs: TbsCertificate): string[] {
  const serialBytes = tbs.serialNumber.length / 2;
  return [
    ...finding(tbs.version !== 3, 'not version 3'),
    ...finding(serialBytes < 8 || serialBytes > 20, 'the serial number is not 8 to 20 bytes'),
    ...finding(tbs.issuer.attributes.length === 0, 'the issuer is empty'),
    ...finding(tbs.subject.attributes.length === 0, 'the subject is empty'),
    ...tbs.extensions.flatMap(({ oid, critical }) => [
      ...finding(!CRITICAL.includes(oid) && !NON_CRITICAL.includes(oid), `extension ${oid} is in no profile`),
      ...finding(CRITICAL.includes(oid) !== critical, `extension ${oid} has the wrong criticality`),
    ]),
  ];
}

function lintTimes(node: DerNode, tbs: TbsCertificate, profile: CertificateProfile): string[] {
  const lifetimeMs = tbs.notAfter.getTime() - tbs.notBefore.getTime();
  const validity = sequenceOf(node.children[4], 'validity');
  const encodedAsDue = [tbs.notBefore, tbs.notAfter].every(
    (date, i) => (validity[i]?.tag === TAG.utcTime) === date.getUTCFullYear() < 2050,
  );
  return [
    ...finding(lifetimeMs <= 0, 'notAfter is not after notBefore'),
    // Back-dating by the skew comes on top of the lifetime; an hour bounds it.
    ...finding(lifetimeMs > profile.maxLifetimeSeconds * 1000 + HOUR_MS, 'the lifetime exceeds the profile'),
    ...finding(!encodedAsDue, 'a time is not UTCTime before 2050 and GeneralizedTime from then on'),
  ];
}

function lintKey(tbs: TbsCertificate, profile: CertificateProfile): string[] {
  importPublicKey(tbs.spkiDer);
  const sameName = sameBytes(tbs.issuer.der, tbs.subject.der);
  const sameKey = tbs.authorityKeyId === tbs.subjectKeyId;
  return [
    ...finding(!profile.keyAlgorithms.includes(tbs.keyAlgorithm), `the profile takes no ${tbs.keyAlgorithm} key`),
    ...finding(
      tbs.subjectKeyId !== hex(keyIdentifier(tbs.spkiDer)),
      'the subject key identifier is not that of the key',
    ),
    ...finding(tbs.authorityKeyId === undefined, 'the authority key identifier is missing'),
    ...finding(sameName !== (profile.selfSigned !== false), 'issuer and subject do not fit the profile'),
    ...finding(profile.selfSigned === true && !sameKey, 'a self-signed certificate names another key'),
    ...finding(profile.selfSigned === 'cross' && sameKey, 'a cross certificate names its own key'),
  ];
}

function lintUsages(tbs: TbsCertificate, profile: CertificateProfile): string[] {
  const { ca } = profile;
  const expected = { ca: ca !== undefined, pathLength: ca?.pathLength };
  return [
    ...finding(!isDeepStrictEqual(tbs.basicConstraints, expected), 'basic constraints differ from the profile'),
    ...finding(!sameSet(tbs.keyUsage ?? [], profile.keyUsage), 'key usage differs from the profile'),
    ...finding(
      !sameSet(tbs.extendedKeyUsages ?? [], profile.extendedKeyUsages),
      'extended key usage differs from the profile',
    ),
  ];
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((member) => b.includes(member));
}

const SPIFFE = /^spiffe:\/\/[a-z0-9][a-z0-9._-]{0,254}\/(?<kind>vehicle|service)\/(?<name>[a-z0-9][a-z0-9-]{2,62})$/;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

function lintNames(tbs: TbsCertificate, profile: CertificateProfile): string[] {
  const name = tbs.subjectCommonName;
  const hosts = [...tbs.sanDns, ...tbs.sanIps];
  return [
    ...finding(name === undefined || name.length > 64, 'the subject holds no single common name of at most 64'),
    ...finding(
      profile.subjectSerialNumber !== (tbs.subjectSerialNumber !== undefined),
      'the serialNumber attribute does not fit the profile',
    ),
    ...finding(tbs.sanOtherForms.length > 0, 'the SAN holds names other than URI, DNS and IP'),
    ...finding(!profile.hosts && hosts.length > 0, 'the profile takes no host names'),
    ...finding(profile.hosts && hosts.length === 0, 'the profile needs a host name'),
    ...finding(!tbs.sanDns.every((dns) => DNS_NAME.test(dns)), 'a DNS name is not one'),
    ...lintSanUri(tbs.sanUris, name, profile),
  ];
}

function lintSanUri(uris: readonly string[], commonName: string | undefined, profile: CertificateProfile): string[] {
  const { sanUri } = profile;
  if (sanUri === undefined) return finding(uris.length > 0, 'the profile takes no URI');
  const [uri = '', ...more] = uris;
  const { kind, name } = SPIFFE.exec(uri)?.groups ?? {};
  const fits =
    sanUri === 'command'
      ? kind === 'service' && name === 'command'
      : kind === sanUri && name !== undefined && name === commonName;
  return finding(!fits || more.length > 0, `the SAN does not hold exactly the SPIFFE id of the ${sanUri}`);
}

function lintPointers(tbs: TbsCertificate, profile: CertificateProfile): string[] {
  const urls = [...tbs.crlDistributionPoints, ...tbs.ocspUrls];
  const complete = tbs.crlDistributionPoints.length === 1 && tbs.ocspUrls.length === 1;
  return [
    ...finding(profile.revocationPointers === 'required' && !complete, 'CRL and OCSP addresses are not one each'),
    ...finding(profile.revocationPointers === 'none' && urls.length > 0, 'the profile takes no CRL or OCSP address'),
    // Fetched in the clear on purpose: over TLS, checking a certificate could need checking that very certificate.
    ...finding(
      !urls.every((url) => /^http:\/\/[\x21-\x7e]{1,200}$/.test(url)),
      'a CRL or OCSP address is not plain http',
    ),
  ];
}
