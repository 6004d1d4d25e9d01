/** Signs with the algorithm that the key's type fixes. */
import { type KeyObject, sign as nodeSign } from 'node:crypto';
import { DomainError } from '@outrider/errors';
import { derToP1363 } from './ecdsa-form.js';
import { ECDSA, type KeyAlgorithm, keyAlgorithm } from './key-algorithm.js';

/**
 * The JOSE and COSE form: r || s of 64 or 96 bytes for ECDSA, 64 bytes for Ed25519.
 * @throws DomainError `x509.key_unsupported`
 */
export function sign(key: KeyObject, message: Uint8Array): Buffer {
  const algorithm = signingAlgorithm(key);
  if (algorithm === 'EdDSA') return nodeSign(null, message, key);
  // Asked for r || s by an options object, Node takes twice as long as for DER.
  const signature = derToP1363(nodeSign(ECDSA[algorithm].digest, message, key), algorithm);
  if (!signature) throw new Error('OpenSSL gave a signature that is not DER');
  return signature;
}

/**
 * The X.509 form: DER for ECDSA (RFC 3279 §2.2.3), 64 bytes for Ed25519 (RFC 8410 §6).
 * @throws DomainError `x509.key_unsupported`
 */
export function signDer(key: KeyObject, message: Uint8Array): Buffer {
  const algorithm = signingAlgorithm(key);
  return nodeSign(algorithm === 'EdDSA' ? null : ECDSA[algorithm].digest, message, key);
}

/** @throws DomainError `x509.key_unsupported` for anything but a private key of the three types */
export function signingAlgorithm(key: KeyObject): KeyAlgorithm {
  const algorithm = key.type === 'private' ? keyAlgorithm(key) : undefined;
  if (!algorithm) throw new DomainError('x509.key_unsupported', { detail: 'the key cannot sign here' });
  return algorithm;
}
