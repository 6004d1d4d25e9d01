/** Name constraints (RFC 5280 §4.2.1.10, §6.1.3 b and c): whether what an authority may name covers every certificate below it. */
import { DomainError } from '@outrider/errors';
import { type ConstrainedName, constrainedName, isHostName, namesOf, uriHost } from './constrained-names.js';
import { type DerNode, malformed, readDer } from './der-read.js';
import { sameBytes, sequenceOf } from './der-values.js';
import { OID } from './oids.js';
import type { ParsedCertificate } from './parse-certificate.js';

export interface NameConstraints {
  readonly permitted: readonly ConstrainedName[];
  readonly excluded: readonly ConstrainedName[];
}

/** Names times subtrees over a whole path: more is an attack on our time. */
const MAX_COMPARISONS = 65_536;

/**
 * Undefined where the certificate holds none.
 * @throws DomainError `x509.malformed`; `x509.chain_invalid` where the extension is not critical, as it must be.
 */
export function nameConstraintsOf(certificate: ParsedCertificate): NameConstraints | undefined {
  const extension = certificate.extensions.find(({ oid }) => oid === OID.nameConstraints);
  if (extension === undefined) return undefined;
  if (!extension.critical) throw refused(`${certificate.subject.text}: name constraints that are not critical`);
  const parts = sequenceOf(readDer(extension.value), 'name constraints');
  const tags = parts.map(({ tag }) => tag);
  const inOrder = tags.every((tag, i) => (tag === 0xa0 || tag === 0xa1) && tag > (tags[i - 1] ?? 0));
  if (parts.length === 0 || !inOrder) throw malformed('name constraints without permitted or excluded subtrees');
  const subtrees = (tag: number) => parts.find((part) => part.tag === tag)?.children.map(readSubtree);
  const [permitted, excluded] = [subtrees(0xa0), subtrees(0xa1)];
  if (permitted?.length === 0 || excluded?.length === 0) throw malformed('an empty list of subtrees');
  return { permitted: permitted ?? [], excluded: excluded ?? [] };
}

/** §4.2.1.10: `minimum` is 0, hence left out, and `maximum` is absent. */
function readSubtree(node: DerNode): ConstrainedName {
  const [base, ...bounds] = sequenceOf(node, 'general subtree');
  if (base === undefined || bounds.length > 0) throw malformed('a general subtree is a base alone');
  const name = constrainedName(base, 'general subtree');
  const valid =
    name.form === 'ip'
      ? isNetwork(name.bytes)
      : !(name.form === 'dns' || name.form === 'uri') ||
        name.value === '' ||
        isHostName(name.value.toLowerCase().replace(/^\./, ''));
  if (!valid) throw malformed('a general subtree that is no name of its form');
  return name;
}

/** An address and a mask of leading ones. */
function isNetwork(bytes: Uint8Array): boolean {
  if (bytes.length !== 8 && bytes.length !== 32) return false;
  const mask = [...bytes.subarray(bytes.length / 2)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(mask);
}

/**
 * @param path leaf first, anchor last. Each authority's constraints hold for all that stand below it, but for self-issued intermediates.
 * @throws DomainError `x509.chain_invalid` naming the name; `x509.malformed`
 */
export function checkNameConstraints(path: readonly ParsedCertificate[]): void {
  let comparisons = 0;
  path.forEach((authority, height) => {
    const constraints = height === 0 ? undefined : nameConstraintsOf(authority);
    if (constraints === undefined) return;
    const below = path.slice(0, height).filter((one, i) => i === 0 || !sameBytes(one.issuer.der, one.subject.der));
    for (const name of below.flatMap(namesOf)) {
      comparisons += constraints.permitted.length + constraints.excluded.length;
      if (comparisons > MAX_COMPARISONS) throw refused('too many names under too many name constraints');
      checkName(name, constraints, authority.subject.text);
    }
  });
}

function checkName(name: ConstrainedName, { permitted, excluded }: NameConstraints, authority: string): void {
  const ofForm = (subtree: ConstrainedName): boolean =>
    subtree.form === name.form && (name.form !== 'other' || (subtree.form === 'other' && subtree.tag === name.tag));
  const allowed = permitted.filter(ofForm);
  const forbidden = excluded.filter(ofForm);
  if (allowed.length === 0 && forbidden.length === 0) return;
  if (name.form === 'other') throw refused(`${authority} constrains a form of name that is not understood`);
  checkForm(name);
  if (forbidden.some((subtree) => covers(subtree, name, 'excluded')))
    throw refused(`${authority} excludes ${printed(name)}`);
  if (allowed.length > 0 && !allowed.some((subtree) => covers(subtree, name, 'permitted'))) {
    throw refused(`${authority} does not permit ${printed(name)}`);
  }
}

function checkForm(name: ConstrainedName): void {
  if (name.form === 'dns' && !isHostName(name.value.replace(/^\*\./, '')))
    throw malformed(`no DNS name: ${name.value}`);
  if (name.form === 'ip' && name.bytes.length !== 4 && name.bytes.length !== 16)
    throw malformed('no IP address in the SAN');
  if (name.form === 'email' && !/^[^@]+@[^@]+$/.test(name.value)) throw malformed('no mailbox in the SAN');
}

function covers(subtree: ConstrainedName, name: ConstrainedName, list: 'permitted' | 'excluded'): boolean {
  if (subtree.form === 'dns' && name.form === 'dns') return coversDns(subtree.value, name.value, list);
  if (subtree.form === 'uri' && name.form === 'uri')
    return coversHost(subtree.value.toLowerCase(), uriHost(name.value));
  if (subtree.form === 'email' && name.form === 'email') return coversMailbox(subtree.value, name.value);
  if (subtree.form === 'ip' && name.form === 'ip') return coversAddress(subtree.bytes, name.bytes);
  if (subtree.form === 'directory' && name.form === 'directory') {
    return subtree.rdns.every((rdn, i) => rdn === name.rdns[i]);
  }
  return false;
}

/** The domain and all below it; with a leading dot, as openssl writes them, only what is below. A wildcard is permitted only where all it may stand for is. */
function coversDns(domain: string, host: string, list: 'permitted' | 'excluded'): boolean {
  if (domain === '') return true;
  const wildcard = host.startsWith('*.');
  const base = wildcard ? host.slice(2) : host;
  const bare = domain.replace(/^\./, '');
  if (base.endsWith(`.${bare}`)) return true;
  if (base === bare) return wildcard || !domain.startsWith('.');
  // *.example.com may stand for an excluded foo.example.com.
  return list === 'excluded' && wildcard && bare.endsWith(`.${base}`);
}

/** URI and mailbox hosts: one host, or with a leading dot the domain's hosts. */
function coversHost(constraint: string, host: string): boolean {
  return constraint === '' || (constraint.startsWith('.') ? host.endsWith(constraint) : host === constraint);
}

function coversMailbox(constraint: string, mailbox: string): boolean {
  const [local = '', host = ''] = mailbox.split('@');
  const [constraintHost = '', constraintLocal] = constraint.split('@').reverse();
  if (constraintLocal !== undefined && constraintLocal !== local) return false;
  return coversHost(constraintHost.toLowerCase(), host.toLowerCase());
}

function coversAddress(network: Uint8Array, address: Uint8Array): boolean {
  const size = network.length / 2;
  return (
    size === address.length && address.every((byte, i) => ((byte ^ (network[i] ?? 0)) & (network[size + i] ?? 0)) === 0)
  );
}

function printed(name: ConstrainedName): string {
  if (name.form === 'directory') return `the directory name ${name.rdns.join(',')}`;
  return `the ${name.form} name ${'value' in name ? name.value : 'bytes' in name ? name.bytes.join('.') : ''}`;
}

function refused(detail: string): DomainError {
  return new DomainError('x509.chain_invalid', { detail });
}
