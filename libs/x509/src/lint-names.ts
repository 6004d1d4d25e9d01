/** The part of the lint that looks at names and addresses: subject, SAN, CRL and OCSP pointers. */
import { OID } from './oids.js';
import type { ParsedCertificate } from './parse-certificate.js';
import type { CertificateProfile } from './profile-schema.js';

/** Upper bounds of RFC 5280 appendix A.1, in characters. */
const UPPER_BOUNDS: Readonly<Record<string, number>> = {
  [OID.commonName]: 64,
  [OID.organizationName]: 64,
  [OID.organizationalUnitName]: 64,
  [OID.serialNumber]: 64,
  [OID.localityName]: 128,
  [OID.stateOrProvinceName]: 128,
  [OID.countryName]: 2,
};
const SPIFFE = /^spiffe:\/\/[a-z0-9][a-z0-9._-]{0,254}\/(?<kind>vehicle|service)\/(?<name>[a-z0-9][a-z0-9-]{2,62})$/;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

export function lintNames(certificate: ParsedCertificate, profile: CertificateProfile): string[] {
  const { subject, subjectCommonName: name, sanUris, sanDns, sanIps, sanOtherForms } = certificate;
  const hosts = [...sanDns, ...sanIps];
  const types = subject.attributes.map(({ type }) => type);
  const names = [...sanUris.map((uri) => `URI ${uri}`), ...hosts];
  return [
    ...finding(subject.attributes.length === 0, 'the subject is empty'),
    ...finding(!subject.attributes.every(hasGoodForm), 'a name is empty, too long or holds unprintable characters'),
    ...finding(new Set(types).size < types.length, 'the subject holds an attribute twice'),
    ...finding(name === undefined, 'the subject holds no single common name'),
    ...finding(
      profile.subjectSerialNumber !== (certificate.subjectSerialNumber !== undefined),
      'the serialNumber attribute does not fit the profile',
    ),
    ...finding(new Set(names).size < names.length, 'the SAN holds a name twice'),
    ...finding(sanOtherForms.length > 0, 'the SAN holds names other than URI, DNS and IP'),
    ...finding(!profile.hosts && hosts.length > 0, 'the profile takes no host names'),
    ...finding(profile.hosts && hosts.length === 0, 'the profile needs a host name'),
    ...finding(!sanDns.every((dns) => DNS_NAME.test(dns)), 'a DNS name is not one'),
    ...lintSanUri(sanUris, name, profile),
  ];
}

/** White space at an end and control characters make two names look like one. */
function hasGoodForm({ type, value }: { readonly type: string; readonly value: string }): boolean {
  const length = [...value].length;
  return length > 0 && length <= (UPPER_BOUNDS[type] ?? 128) && value.trim() === value && !/\p{C}/u.test(value);
}

function lintSanUri(uris: readonly string[], commonName: string | undefined, profile: CertificateProfile): string[] {
  const { sanUri } = profile;
  if (sanUri === null) return finding(uris.length > 0, 'the profile takes no URI');
  const [uri = '', ...more] = uris;
  const { kind, name } = SPIFFE.exec(uri)?.groups ?? {};
  const fits =
    sanUri === 'command'
      ? kind === 'service' && name === 'command'
      : kind === sanUri && name !== undefined && name === commonName;
  return finding(!fits || more.length > 0, `the SAN does not hold exactly the SPIFFE id of the ${sanUri}`);
}

export function lintPointers(certificate: ParsedCertificate, { revocationPointers }: CertificateProfile): string[] {
  const { crlDistributionPoints, ocspUrls } = certificate;
  const urls = [...crlDistributionPoints, ...ocspUrls];
  const complete = crlDistributionPoints.length === 1 && ocspUrls.length === 1;
  return [
    ...finding(revocationPointers === 'required' && !complete, 'CRL and OCSP addresses are not one each'),
    ...finding(revocationPointers === 'none' && urls.length > 0, 'the profile takes no CRL or OCSP address'),
    ...finding(!urls.every(isPlainHttp), 'a CRL or OCSP address is not plain http'),
  ];
}

/** Fetched in the clear on purpose: over TLS, checking a certificate could need checking that very certificate. */
function isPlainHttp(url: string): boolean {
  if (!/^http:\/\/[\x21-\x7e]{1,200}$/.test(url) || !URL.canParse(url)) return false;
  const { username, password, hash } = new URL(url);
  return username === '' && password === '' && hash === '';
}

function finding(broken: boolean, sentence: string): string[] {
  return broken ? [sentence] : [];
}
