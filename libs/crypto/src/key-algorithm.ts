/** The key's type fixes the algorithm; nothing that a message says about algorithms is believed. */
import type { KeyObject } from 'node:crypto';

export type KeyAlgorithm = 'ES256' | 'ES384' | 'EdDSA';
export type EcdsaAlgorithm = Exclude<KeyAlgorithm, 'EdDSA'>;

/** `scalarBytes`: n, the length of r and of s. `derMaxBytes`: the longest DER signature (SEQUENCE of two INTEGERs, each with a sign byte). */
export const ECDSA = {
  ES256: { digest: 'sha256', scalarBytes: 32, derMaxBytes: 72 },
  ES384: { digest: 'sha384', scalarBytes: 48, derMaxBytes: 104 },
} as const;

export const ED25519_SIGNATURE_BYTES = 64;

/** A key never changes its type, and to ask OpenSSL for the curve costs as much as a fifth of a signature. */
const asked = new WeakMap<KeyObject, KeyAlgorithm>();

/** P-256 -> ES256, P-384 -> ES384, Ed25519 -> EdDSA, for public and private keys; undefined for any other key. */
export function keyAlgorithm(key: KeyObject): KeyAlgorithm | undefined {
  const known = asked.get(key);
  if (known) return known;
  const algorithm = algorithmOf(key);
  if (algorithm) asked.set(key, algorithm);
  return algorithm;
}

function algorithmOf(key: KeyObject): KeyAlgorithm | undefined {
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA';
  if (key.asymmetricKeyType !== 'ec') return undefined;
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === 'prime256v1') return 'ES256';
  return curve === 'secp384r1' ? 'ES384' : undefined;
}
