/** SHA-256 in the forms that messages carry, thumbprints, and comparison in constant time. */
import { createHash, hash, timingSafeEqual } from 'node:crypto';
import type { Thumbprint } from '@outrider/ids';

export function sha256(bytes: string | Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** 43 characters, no padding. */
export function sha256Base64url(bytes: string | Uint8Array): string {
  return hash('sha256', bytes, 'base64url');
}

/** 64 lower-case hex digits. */
export function sha256Hex(bytes: string | Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

/** `x5t#S256` of a DER certificate (RFC 8705 §3.1). */
export function thumbprint(der: Uint8Array): Thumbprint {
  return sha256Base64url(der) as Thumbprint;
}

/** The name of a public key on the denylist: SHA-256 over its SubjectPublicKeyInfo (RFC 5280 §4.1), base64url. */
export function keyThumbprint(spkiDer: Uint8Array): string {
  return sha256Base64url(spkiDer);
}

/** Strings are compared as UTF-8. The time taken tells the lengths apart, and nothing of the contents. */
export function constantTimeEqual(left: string | Uint8Array, right: string | Uint8Array): boolean {
  const leftBytes = Buffer.from(left);
  const rightBytes = Buffer.from(right);
  return leftBytes.length === rightBytes.length && timingSafeEqual(leftBytes, rightBytes);
}
