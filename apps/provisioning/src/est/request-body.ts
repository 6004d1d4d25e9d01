/** The certificate request in the body of an enrolment, as clients really send it (RFC 7030 §4.2, RFC 8951 §3.1). */
import { DomainError } from '@outrider/errors';

/** Of DER. */
export const MAX_REQUEST_BYTES = 16 * 1024;
/** That in base64, with line breaks and PEM armour. */
const MAX_BODY_BYTES = 24 * 1024;
/** One block; openssl may explain it before, nothing stands after. */
const PEM =
  /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]*)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/;
const DER_SEQUENCE = 0x30;

/**
 * The DER in a body of base64, whatever its lines; of PEM, which many send all the same; or of DER itself. What Content-Transfer-Encoding
 * says is of no account (RFC 8951 §3.1).
 * @throws DomainError `request.too_large`, `est.csr_malformed`
 */
export function requestDer(body: Uint8Array): Uint8Array {
  if (body.length > MAX_BODY_BYTES) throw tooLarge();
  const der = isDer(body) ? Uint8Array.from(body) : fromText(Buffer.from(body).toString('latin1'));
  if (der.length > MAX_REQUEST_BYTES) throw tooLarge();
  return der;
}

/** A SEQUENCE with a long length. Base64 of a request begins with M. */
function isDer(body: Uint8Array): boolean {
  return body[0] === DER_SEQUENCE && (body[1] ?? 0) > 0x80;
}

function fromText(text: string): Uint8Array {
  const base64 = (text.includes('-----') ? armoured(text) : text).replace(/\s/g, '');
  if (base64.length === 0) throw malformed('the body is empty');
  const der = Buffer.from(base64, 'base64');
  // Buffer skips what it does not know: only what it writes again in the same way was base64, and nothing follows it.
  if (der.toString('base64') !== base64) throw malformed('the body is not base64');
  return Uint8Array.from(der);
}

function armoured(text: string): string {
  const [, base64] = PEM.exec(text) ?? [];
  if (base64 === undefined || text.split('-----BEGIN').length > 2)
    throw malformed('no single PEM block CERTIFICATE REQUEST, or something follows it');
  return base64;
}

function tooLarge(): DomainError {
  return new DomainError('request.too_large', {
    detail: `a certificate request of at most ${MAX_REQUEST_BYTES} bytes`,
  });
}

function malformed(detail: string): DomainError {
  return new DomainError('est.csr_malformed', { detail });
}
