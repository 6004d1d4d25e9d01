/** EST bodies on the wire (RFC 7030 §4, RFC 8951 §3): base64 that clients break differently, and the shape of an error. */
import { DomainError } from '@outrider/errors';
import { certsOnlyCms, type ParsedCertificationRequest, parseCertificationRequest } from '@outrider/x509';

/** The base64 of a PKCS#10 request of 16 KiB, with line breaks and PEM armour. */
const MAX_REQUEST_CHARACTERS = 24 * 1024;

/**
 * The request in an enrolment's body: base64, with or without line breaks, or PEM as clients send it all the same.
 * @throws DomainError `est.csr_malformed`, `est.csr_key_refused`, `est.csr_signature_invalid`
 */
export function readRequest(body: Uint8Array): ParsedCertificationRequest {
  if (body.length > MAX_REQUEST_CHARACTERS)
    throw new DomainError('est.csr_malformed', { detail: 'the request is too long' });
  try {
    return parseCertificationRequest(Buffer.from(body).toString('latin1'));
  } catch (cause) {
    if (!(cause instanceof DomainError)) throw cause;
    throw new DomainError(EST_CODES[cause.code] ?? 'est.csr_malformed', { cause, detail: cause.detail ?? cause.title });
  }
}

const EST_CODES = {
  'x509.key_unsupported': 'est.csr_key_refused',
  'x509.signature_invalid': 'est.csr_signature_invalid',
} as Readonly<Record<string, 'est.csr_key_refused' | 'est.csr_signature_invalid'>>;

/**
 * Certificates as certs-only CMS in base64, the leaf first. libest and most others read lines of 64 characters; strongSwan 5.9, which
 * sends no User-Agent, wants one line.
 */
export function encodeCertificates(certificates: readonly Uint8Array[], userAgent: string | undefined): string {
  const base64 = Buffer.from(certsOnlyCms(certificates)).toString('base64');
  const lines = userAgent === undefined ? [base64] : (base64.match(/.{1,64}/g) ?? []);
  return `${lines.join('\n')}\n`;
}

/** `code: sentence`, for a person at a terminal and a program alike. */
export function errorText(error: DomainError): string {
  return `${error.code}: ${error.detail ? `${error.title} (${error.detail})` : error.title}\n`;
}
