/** Writes OCSP responses (RFC 6960 §4.2): signed basic responses by a delegate, and the unsigned ones that say why there is none. */
import { hash } from 'node:crypto';
import { CRL_REASONS, type CrlReason } from './crl-entries.js';
import { TAG } from './der-read.js';
import {
  bitString,
  contextConstructed,
  contextPrimitive,
  generalizedTime,
  integer,
  objectIdentifier,
  octetString,
  sequence,
} from './der-write.js';
import { publicKeyBits } from './ocsp-cert-id.js';
import { ocspNonce } from './ocsp-request.js';
import { OID } from './oids.js';
import type { ParsedCertificate } from './parse-certificate.js';
import { encodeSignatureAlgorithm, keyAlgorithmOf, signatureAlgorithmFor } from './public-key.js';

/** OCSPResponseStatus of RFC 6960 §4.2.1 but `successful`. */
const FAILURES = { malformedRequest: 1, internalError: 2, tryLater: 3, sigRequired: 5, unauthorized: 6 } as const;
export type OcspFailure = keyof typeof FAILURES;

export type OcspCertStatus =
  | { readonly status: 'good' | 'unknown' }
  | { readonly status: 'revoked'; readonly revokedAt: Date; readonly reason?: CrlReason | undefined };

export interface OcspSingleResponse {
  /** DER of the CertID, as it was asked. */
  readonly certId: Uint8Array;
  readonly certificate: OcspCertStatus;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
}

export interface OcspResponseDescription {
  /** The delegate (or the issuer itself): named by its key, and enclosed. */
  readonly responder: Pick<ParsedCertificate, 'der' | 'spkiDer'>;
  readonly producedAt: Date;
  readonly responses: readonly OcspSingleResponse[];
  readonly nonce?: Uint8Array | undefined;
}

/**
 * DER of a signed response.
 * @param sign DER for ECDSA, 64 bytes for Ed25519, by the responder's key.
 */
export function createOcspResponse(
  description: OcspResponseDescription,
  sign: (tbs: Uint8Array) => Uint8Array,
): Uint8Array {
  const { responder, producedAt, responses, nonce } = description;
  const algorithm = signatureAlgorithmFor(keyAlgorithmOf(responder.spkiDer));
  // KeyHash is SHA-1 by definition (§4.2.1), whatever the CertIDs use.
  const byKey = contextConstructed(2, octetString(hash('sha1', publicKeyBits(responder.spkiDer), 'buffer')));
  const tbs = sequence(
    byKey,
    generalizedTime(producedAt),
    sequence(...responses.map(encodeSingle)),
    ...(nonce === undefined ? [] : [contextConstructed(1, sequence(ocspNonce(nonce)))]),
  );
  const basic = sequence(
    tbs,
    encodeSignatureAlgorithm(algorithm),
    bitString(sign(tbs)),
    contextConstructed(0, sequence(responder.der)),
  );
  const bytes = sequence(objectIdentifier(OID.ocspBasic), octetString(basic));
  return sequence(integer(0, TAG.enumerated), contextConstructed(0, bytes));
}

/** DER of a response that answers nothing: unsigned, so nobody relies on it for more than asking again. */
export function ocspFailure(failure: OcspFailure): Uint8Array {
  return sequence(integer(FAILURES[failure], TAG.enumerated));
}

function encodeSingle({ certId, certificate, thisUpdate, nextUpdate }: OcspSingleResponse): Uint8Array {
  return sequence(
    certId,
    encodeStatus(certificate),
    generalizedTime(thisUpdate),
    contextConstructed(0, generalizedTime(nextUpdate)),
  );
}

const NOTHING = new Uint8Array();

function encodeStatus(certificate: OcspCertStatus): Uint8Array {
  if (certificate.status !== 'revoked') return contextPrimitive(certificate.status === 'good' ? 0 : 2, NOTHING);
  const { revokedAt, reason = 'unspecified' } = certificate;
  // RFC 5280 §5.3.1: unspecified is said by saying nothing.
  if (reason === 'unspecified') return contextConstructed(1, generalizedTime(revokedAt));
  const code = contextConstructed(0, integer(CRL_REASONS[reason], TAG.enumerated));
  return contextConstructed(1, generalizedTime(revokedAt), code);
}
