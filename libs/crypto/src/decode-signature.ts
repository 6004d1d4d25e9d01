/** Reads a signature as text: hex or base64url, told apart by the key's type and the exact length, never by what the message claims. */
import { derToP1363 } from './ecdsa-form.js';
import { ECDSA, type EcdsaAlgorithm, ED25519_SIGNATURE_BYTES, type KeyAlgorithm } from './key-algorithm.js';

const HEX = /^(?:[0-9a-fA-F]{2})+$/;

/**
 * The bytes of a signature sent as hex (either case) or unpadded base64url. EdDSA: 64 bytes. ECDSA: r || s of 64 or 96 bytes, or strict DER
 * of 8 to 72 or 104 bytes; a text of r || s length is r || s. Undefined for anything else; the length is bounded before decoding.
 * No text has two readings: DER begins with `3` in hex and with `M` in base64url.
 */
export function decodeSignature(text: string, algorithm: KeyAlgorithm): Uint8Array | undefined {
  if (algorithm === 'EdDSA') return ofLength(text, ED25519_SIGNATURE_BYTES);
  return ofLength(text, 2 * ECDSA[algorithm].scalarBytes) ?? derText(text, algorithm);
}

function ofLength(text: string, bytes: number): Buffer | undefined {
  if (text.length === bytes * 2) return decodeHex(text);
  return text.length === Math.ceil((bytes * 4) / 3) ? decodeBase64url(text) : undefined;
}

function derText(text: string, algorithm: EcdsaAlgorithm): Buffer | undefined {
  if (text.length > ECDSA[algorithm].derMaxBytes * 2) return undefined;
  const der = text.startsWith('M') ? decodeBase64url(text) : decodeHex(text);
  return der && derToP1363(der, algorithm) ? der : undefined;
}

function decodeHex(text: string): Buffer | undefined {
  return HEX.test(text) ? Buffer.from(text, 'hex') : undefined;
}

/** The bytes of unpadded base64url in its one spelling (RFC 4648 §3.5: unused bits are zero); undefined for any other text. */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
