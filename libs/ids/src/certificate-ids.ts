/** Names of certificates: serial number (unique with its issuer) and thumbprint (unique by itself). */
import { z } from 'zod';

/**
 * A certificate serial number: lower-case hex, whole bytes, at most 20 of them (RFC 5280 §4.1.2.2), without the DER sign byte.
 * Parsing accepts colons, upper case and an odd digit count, as operators paste them from openssl.
 */
export const SerialNumber = z
  .string()
  .max(80)
  .transform((text) => normalizeSerial(text))
  .pipe(z.string().regex(/^(?:[0-9a-f]{2}){1,20}$/))
  .brand('SerialNumber');
export type SerialNumber = z.infer<typeof SerialNumber>;

/** SHA-256 over the DER certificate, base64url without padding: 43 characters (`x5t#S256`, RFC 8705 §3.1). */
export const Thumbprint = z
  .string()
  .regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/)
  .brand('Thumbprint');
export type Thumbprint = z.infer<typeof Thumbprint>;

function normalizeSerial(text: string): string {
  const digits = text.trim().toLowerCase().replaceAll(':', '').replace(/^0x/, '');
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  return even.replace(/^(?:00)+(?=[0-9a-f]{2})/, '');
}
