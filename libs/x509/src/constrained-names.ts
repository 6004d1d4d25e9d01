/** The names that name constraints speak of (RFC 5280 §4.2.1.10): what a certificate holds of each form, and one GeneralName as such. */
import { type DerNode, malformed, readDer } from './der-read.js';
import { asciiOf, sequenceOf } from './der-values.js';
import { normalizedRdns } from './distinguished-name.js';
import { OID } from './oids.js';
import type { ParsedCertificate } from './parse-certificate.js';

/** `rdns`: each RDN in one normalized spelling. `other`: a form that is told by its context tag alone. */
export type ConstrainedName =
  | { readonly form: 'dns' | 'email' | 'uri'; readonly value: string }
  | { readonly form: 'ip'; readonly bytes: Uint8Array }
  | { readonly form: 'directory'; readonly rdns: readonly string[] }
  | { readonly form: 'other'; readonly tag: number };

/** @throws DomainError `x509.malformed` */
export function constrainedName(node: DerNode, what: string): ConstrainedName {
  switch (node.tag) {
    case 0x81:
      return { form: 'email', value: asciiOf(node.content, what) };
    case 0x82:
      return { form: 'dns', value: asciiOf(node.content, what).toLowerCase() };
    case 0x86:
      return { form: 'uri', value: asciiOf(node.content, what) };
    case 0x87:
      return { form: 'ip', bytes: node.content };
    case 0xa4:
      return { form: 'directory', rdns: normalizedRdns(node.children[0], what) };
    default:
      return { form: 'other', tag: node.tag & 0x1f };
  }
}

/** Subject, subject alternative names, and the e-mail addresses that old certificates hold in the subject. */
export function namesOf(certificate: ParsedCertificate): ConstrainedName[] {
  const { subject, extensions } = certificate;
  const alternative = extensions.find(({ oid }) => oid === OID.subjectAltName);
  const nodes = alternative === undefined ? [] : sequenceOf(readDer(alternative.value), 'SAN');
  const names = nodes.map((node) => constrainedName(node, 'SAN'));
  if (subject.attributes.length > 0) {
    names.push({ form: 'directory', rdns: normalizedRdns(readDer(subject.der), 'subject') });
  }
  for (const { type, value } of subject.attributes) {
    if (type === OID.emailAddress) names.push({ form: 'email', value });
  }
  return names;
}

const HOST = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** Whether it can be a host name, in lower case. */
export function isHostName(text: string): boolean {
  return HOST.test(text);
}

/**
 * The host in a URI's authority, in lower case (RFC 3986 §3.2).
 * @throws DomainError `x509.malformed` for a URI without one: a constraint on it cannot be judged (RFC 5280 §4.2.1.10).
 */
export function uriHost(uri: string): string {
  const host = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^@/?#]*@)?([^:/?#[\]]+)(?::\d*)?(?:[/?#]|$)/
    .exec(uri)?.[1]
    ?.toLowerCase();
  if (host === undefined || !isHostName(host))
    throw malformed(`a URI without a host name under a name constraint: ${uri}`);
  return host;
}
