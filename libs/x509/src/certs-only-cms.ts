/** Certs-only CMS (degenerate SignedData, RFC 5652 §5, RFC 7030 §4.1.3): certificates in a bag that nobody signed. */
import { type DerNode, malformed, readDer, TAG } from './der-read.js';
import { expectTag, oidOf, sequenceOf, smallIntegerOf } from './der-values.js';
import { contextConstructed, element, integer, objectIdentifier, sequence, setOf } from './der-write.js';
import { OID } from './oids.js';
import { derOf } from './pem.js';

const MAX_CMS_BYTES = 128 * 1024;

/** DER of the ContentInfo; the certificates keep their order (readers take them by name, EST clients often the first). */
export function certsOnlyCms(certificates: readonly Uint8Array[]): Uint8Array {
  const signedData = sequence(
    integer(1),
    setOf([]),
    sequence(objectIdentifier(OID.data)),
    contextConstructed(0, ...certificates),
    element(TAG.set),
  );
  return sequence(objectIdentifier(OID.signedData), contextConstructed(0, signedData));
}

/**
 * The DER of each certificate inside, in order. What has signers is not certs-only.
 * @param input DER, PEM (`PKCS7` or `CMS`) or bare base64, at most 128 KiB of DER.
 * @throws DomainError `x509.malformed`
 */
export function parseCertsOnlyCms(input: Uint8Array | string): Uint8Array[] {
  const label = typeof input === 'string' && input.includes('BEGIN CMS') ? 'CMS' : 'PKCS7';
  const [type, content, ...rest] = sequenceOf(readDer(derOf(input, label, MAX_CMS_BYTES)), 'ContentInfo');
  if (oidOf(type, 'content type') !== OID.signedData || rest.length > 0) throw malformed('no SignedData');
  const [version, digests, encapsulated, ...optional] = sequenceOf(expectWrapped(content), 'SignedData');
  smallIntegerOf(version, 'version');
  expectTag(digests, TAG.set, 'digestAlgorithms');
  if (sequenceOf(encapsulated, 'encapContentInfo').length !== 1) throw malformed('SignedData with content');
  const signers = expectTag(optional.pop(), TAG.set, 'signerInfos');
  if (signers.children.length > 0) throw malformed('SignedData with signers');
  const bag = optional.find(({ tag }) => tag === 0xa0);
  return (bag?.children ?? []).map((certificate) => expectTag(certificate, TAG.sequence, 'certificate').der);
}

function expectWrapped(content: DerNode | undefined): DerNode | undefined {
  const wrapped = expectTag(content, 0xa0, 'content');
  if (wrapped.children.length !== 1) throw malformed('content is not one element');
  return wrapped.children[0];
}
