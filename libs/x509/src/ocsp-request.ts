/** Reads and writes OCSP requests (RFC 6960 §4.1, the profile of RFC 5019, nonces of RFC 9654), strictly and bounded. */
import { type DerNode, malformed, readDer, TAG } from './der-read.js';
import { expectTag, sequenceOf, smallIntegerOf } from './der-values.js';
import { contextConstructed, octetString, sequence } from './der-write.js';
import { readExtensionList } from './extensions.js';
import { extension } from './issue-certificate.js';
import { type OcspCertId, readOcspCertId } from './ocsp-cert-id.js';
import { OID } from './oids.js';

export const MAX_OCSP_REQUEST_BYTES = 4096;
/** Of one request; RFC 5019 clients ask for one. */
export const MAX_OCSP_CERT_IDS = 16;
/** RFC 9654 §2.1. */
const MAX_NONCE_BYTES = 128;

export interface OcspRequest {
  /** 1 to 16, in the order asked. */
  readonly certIds: readonly OcspCertId[];
  /** The octets inside the extension's OCTET STRING. */
  readonly nonce: Uint8Array | undefined;
  /** One certificate and not a word more: the same bytes mean the same question for as long as its answer holds. */
  readonly isPlain: boolean;
}

/**
 * The requestor's name and signature are read over: anyone may ask.
 * @param der at most 4,096 bytes.
 * @throws DomainError `x509.malformed`: not DER, too large, too many certificates, a nonce of 0 or more than 128 octets, or a
 * critical extension that is not understood.
 */
export function parseOcspRequest(der: Uint8Array): OcspRequest {
  if (der.length > MAX_OCSP_REQUEST_BYTES) throw malformed('an OCSP request of more than 4,096 bytes');
  const [tbs, signature, ...rest] = sequenceOf(readDer(der), 'OCSPRequest');
  if (rest.length > 0 || (signature && signature.tag !== 0xa0)) throw malformed('an OCSPRequest has two parts at most');
  const parts = [...sequenceOf(tbs, 'tbsRequest')];
  const hasVersion = parts[0]?.tag === 0xa0;
  if (hasVersion && smallIntegerOf(onlyChild(parts.shift()), 'version') !== 0) throw malformed('no version of OCSP');
  const hasRequestor = parts[0]?.tag === 0xa1;
  if (hasRequestor) parts.shift();
  const list = sequenceOf(parts.shift(), 'requestList');
  const extensions = parts[0]?.tag === 0xa2 ? parts.shift() : undefined;
  if (parts.length > 0) throw malformed('unexpected fields at the end of tbsRequest');
  if (list.length === 0 || list.length > MAX_OCSP_CERT_IDS) throw malformed('1 to 16 certificates in one request');
  const singles = list.map(readSingle);
  const nonce = extensions && readNonce(onlyChild(extensions));
  const alone = singles.length === 1 && singles[0]?.isPlain === true;
  return {
    certIds: singles.map(({ certId }) => certId),
    nonce,
    isPlain: alone && !extensions && !hasVersion && !hasRequestor && !signature,
  };
}

function readSingle(node: DerNode): { readonly certId: OcspCertId; readonly isPlain: boolean } {
  const [certId, extensions, ...rest] = sequenceOf(node, 'Request');
  if (rest.length > 0 || (extensions && extensions.tag !== 0xa0)) throw malformed('a Request has two parts at most');
  if (extensions) refuseCritical(readExtensionList(onlyChild(extensions)));
  return { certId: readOcspCertId(certId), isPlain: extensions === undefined };
}

function readNonce(node: DerNode): Uint8Array | undefined {
  const extensions = readExtensionList(node);
  const found = extensions.find(({ oid }) => oid === OID.ocspNonce);
  refuseCritical(extensions.filter((each) => each !== found));
  if (found === undefined) return undefined;
  const { content } = expectTag(readDer(found.value), TAG.octetString, 'nonce');
  if (content.length === 0 || content.length > MAX_NONCE_BYTES) throw malformed('a nonce of 1 to 128 octets');
  return content;
}

function refuseCritical(extensions: readonly { readonly oid: string; readonly critical: boolean }[]): void {
  const unknown = extensions.find(({ critical }) => critical);
  if (unknown) throw malformed(`critical extension ${unknown.oid} is not understood`);
}

function onlyChild(node: DerNode | undefined): DerNode {
  const [child, ...rest] = node?.children ?? [];
  if (child === undefined || rest.length > 0) throw malformed('an explicit tag around one element');
  return child;
}

/** DER of an unsigned request, for clients. @param certIds by `encodeOcspCertId`. */
export function createOcspRequest(certIds: readonly Uint8Array[], nonce?: Uint8Array): Uint8Array {
  const list = sequence(...certIds.map((certId) => sequence(certId)));
  if (nonce === undefined) return sequence(sequence(list));
  return sequence(sequence(list, contextConstructed(2, sequence(ocspNonce(nonce)))));
}

export function ocspNonce(nonce: Uint8Array): Uint8Array {
  return extension(OID.ocspNonce, 'non-critical', octetString(nonce));
}
