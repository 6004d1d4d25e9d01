/** The two encodings of an ECDSA signature: r || s (IEEE P1363, JOSE, COSE) and DER (RFC 3279 §2.2.3, X.509). */
import { ECDSA, type EcdsaAlgorithm } from './key-algorithm.js';

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/** Strict DER of an r || s of exactly 64 or 96 bytes; undefined for any other length. The range of r and s is the verifier's to check. */
export function p1363ToDer(signature: Uint8Array): Buffer | undefined {
  const half = signature.length / 2;
  if (half !== ECDSA.ES256.scalarBytes && half !== ECDSA.ES384.scalarBytes) return undefined;
  const der = Buffer.alloc(ECDSA.ES384.derMaxBytes);
  const afterR = writeInteger(der, 2, signature.subarray(0, half));
  const end = writeInteger(der, afterR, signature.subarray(half));
  der[0] = SEQUENCE;
  der[1] = end - 2; // at most 102: always the short form
  return der.subarray(0, end);
}

/**
 * r || s of a DER signature, 64 or 96 bytes; undefined unless it is DER to the letter: definite short lengths, minimal non-negative
 * integers of at most the curve's size, nothing after them.
 */
export function derToP1363(der: Uint8Array, algorithm: EcdsaAlgorithm): Buffer | undefined {
  const { scalarBytes, derMaxBytes } = ECDSA[algorithm];
  if (der.length < 8 || der.length > derMaxBytes) return undefined;
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2) return undefined;
  const r = readInteger(der, 2, scalarBytes);
  const s = r && readInteger(der, r.end, scalarBytes);
  if (!s || s.end !== der.length) return undefined;
  const signature = Buffer.alloc(2 * scalarBytes);
  signature.set(r.digits, scalarBytes - r.digits.length);
  signature.set(s.digits, 2 * scalarBytes - s.digits.length);
  return signature;
}

function writeInteger(der: Buffer, at: number, scalar: Uint8Array): number {
  let from = 0;
  while (from < scalar.length - 1 && scalar[from] === 0) from++;
  const digits = scalar.subarray(from);
  const signByte = digits[0]! >= 0x80 ? 1 : 0;
  der[at] = INTEGER;
  der[at + 1] = digits.length + signByte;
  der.set(digits, at + 2 + signByte);
  return at + 2 + signByte + digits.length;
}

/** `digits`: big-endian, without the sign byte. */
function readInteger(der: Uint8Array, at: number, maxBytes: number): { digits: Uint8Array; end: number } | undefined {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  if (der[at] !== INTEGER || length < 1 || end > der.length) return undefined;
  const first = der[at + 2]!;
  if (first >= 0x80) return undefined; // negative
  if (first === 0 && length > 1 && der[at + 3]! < 0x80) return undefined; // not minimal
  const digits = der.subarray(first === 0 && length > 1 ? at + 3 : at + 2, end);
  return digits.length > maxBytes ? undefined : { digits, end };
}
