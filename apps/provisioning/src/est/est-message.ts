/** What EST says on the wire (RFC 7030 §4, RFC 8951 §3): base64 that clients break differently, and the shape of an error. */
import { DomainError } from '@outrider/errors';
import {
  certsOnlyCms,
  type ParsedCertificationRequest,
  parseCertificationRequest,
  parseUnprovenRequest,
  type UnprovenCertificationRequest,
} from '@outrider/x509';
import { requestDer } from './request-body.js';

/** As libest wants it to the letter. */
export const CERTS_ONLY = 'application/pkcs7-mime; smime-type=certs-only';

/**
 * The request in an enrolment's body, its signature verified.
 * @throws DomainError `request.too_large`, `est.csr_malformed`, `est.csr_key_refused`, `est.csr_signature_invalid`
 */
export function readRequest(body: Uint8Array): ParsedCertificationRequest {
  return read(() => parseCertificationRequest(requestDer(body)));
}

/**
 * The request of someone who wants a key: what it asks for counts, its key and signature do not (RFC 7030 §4.4.1).
 * @throws DomainError `request.too_large`, `est.csr_malformed`
 */
export function readUnprovenRequest(body: Uint8Array): UnprovenCertificationRequest {
  return read(() => parseUnprovenRequest(requestDer(body)));
}

function read<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof DomainError)) throw cause;
    if (!cause.code.startsWith('x509.')) throw cause;
    throw new DomainError(EST_CODES[cause.code] ?? 'est.csr_malformed', { cause, detail: cause.detail ?? cause.title });
  }
}

const EST_CODES = {
  'x509.key_unsupported': 'est.csr_key_refused',
  'x509.signature_invalid': 'est.csr_signature_invalid',
} as Readonly<Record<string, 'est.csr_key_refused' | 'est.csr_signature_invalid'>>;

/**
 * Base64 as the client reads it, a line feed at the end. libest and most others want lines of 64 characters; strongSwan 5.9, which
 * sends no User-Agent, fails on any line break inside.
 */
export function encodeBase64(der: Uint8Array, userAgent: string | undefined): string {
  const base64 = Buffer.from(der).toString('base64');
  const lines = userAgent ? (base64.match(/.{1,64}/g) ?? []) : [base64];
  return `${lines.join('\n')}\n`;
}

/** Certificates as certs-only CMS, the leaf first. */
export function encodeCertificates(certificates: readonly Uint8Array[], userAgent: string | undefined): string {
  return encodeBase64(certsOnlyCms(certificates), userAgent);
}

/** `code: sentence`, for a person at a terminal and a program alike. */
export function errorText(error: DomainError): string {
  return `${error.code}: ${error.detail ? `${error.title} (${error.detail})` : error.title}\n`;
}
