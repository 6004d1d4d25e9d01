/** Verifies signatures of the three algorithms; a verdict for every input, never an exception. */
import { verify } from 'node:crypto';
import sodium from 'sodium-native';
import { derToP1363, p1363ToDer } from './ecdsa-form.js';
import { ECDSA, type EcdsaAlgorithm, ED25519_SIGNATURE_BYTES } from './key-algorithm.js';
import type { VerificationKey } from './verification-key.js';

/**
 * True when `signature` is the key's over `message`. The key's type and the exact length decide how it is read: EdDSA 64 bytes; ECDSA r || s
 * of exactly 64 (P-256) or 96 (P-384) bytes, anything else as strict DER (minimal, nothing trailing); 1 <= r, s < n is OpenSSL's to check.
 *
 * Ed25519 is libsodium's strict form of RFC 8032 §5.1.7: refused are S >= L, non-canonical or small-order public keys and small-order R;
 * a non-canonical R matches nothing since R is computed and compared as bytes. No cofactor, so one by one and in any library of that
 * strictness the verdict is the same. ECDSA is malleable by nature ((r, n-s) verifies too): never use a signature as an identifier.
 */
export function verifySignature(key: VerificationKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.algorithm === 'EdDSA') {
    if (signature.length !== ED25519_SIGNATURE_BYTES || !key.raw) return false;
    return sodium.crypto_sign_verify_detached(asBuffer(signature), asBuffer(message), asBuffer(key.raw));
  }
  const der = asDer(signature, key.algorithm);
  return der !== undefined && verify(ECDSA[key.algorithm].digest, message, key.keyObject, der);
}

function asDer(signature: Uint8Array, algorithm: EcdsaAlgorithm): Uint8Array | undefined {
  if (signature.length === 2 * ECDSA[algorithm].scalarBytes) return p1363ToDer(signature);
  return derToP1363(signature, algorithm) && signature;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
