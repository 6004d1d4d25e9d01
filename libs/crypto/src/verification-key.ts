/** A public key made ready once and verified with many times. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { DomainError } from '@outrider/errors';
import { keyThumbprint } from './digest.js';
import { importPublicKey } from './import-public-key.js';
import type { KeyAlgorithm } from './key-algorithm.js';

/** `spkiDer`: the one encoding of this key (RFC 5480, RFC 8410). `raw`: the 32 bytes of an Ed25519 key. `keyThumbprint`: SHA-256 of spkiDer, base64url. */
export interface VerificationKey {
  readonly algorithm: KeyAlgorithm;
  readonly keyObject: KeyObject;
  readonly raw?: Uint8Array;
  readonly spkiDer: Uint8Array;
  readonly keyThumbprint: string;
}

/** Everything before the key's own bytes, with named curves and uncompressed points: a key has exactly one encoding here. */
const SPKI_FORMS: readonly { algorithm: KeyAlgorithm; prefix: Buffer; length: number }[] = [
  {
    algorithm: 'ES256',
    prefix: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex'),
    length: 91,
  },
  { algorithm: 'ES384', prefix: Buffer.from('3076301006072a8648ce3d020106052b8104002203620004', 'hex'), length: 120 },
  { algorithm: 'EdDSA', prefix: Buffer.from('302a300506032b6570032100', 'hex'), length: 44 },
];
const ED25519_PREFIX_BYTES = 12;

/**
 * A verification key from SubjectPublicKeyInfo DER. Compressed points, explicit curve parameters and trailing bytes are refused, so that
 * one key cannot pass the denylist under a second encoding.
 * @throws DomainError `x509.key_unsupported` for any key but P-256, P-384 and Ed25519, and for a point that is not on its curve.
 */
export function verificationKey(spkiDer: Uint8Array): VerificationKey {
  const form = SPKI_FORMS.find(
    ({ prefix, length }) => spkiDer.length === length && prefix.equals(head(spkiDer, prefix.length)),
  );
  if (!form) throw new DomainError('x509.key_unsupported', { detail: 'the key is none of P-256, P-384 and Ed25519' });
  const own = Buffer.from(spkiDer);
  const key = { algorithm: form.algorithm, keyObject: parse(own), spkiDer: own, keyThumbprint: keyThumbprint(own) };
  return form.algorithm === 'EdDSA' ? { ...key, raw: own.subarray(ED25519_PREFIX_BYTES) } : key;
}

/**
 * The same from a public or private KeyObject.
 * @throws DomainError `x509.key_unsupported`
 */
export function verificationKeyOf(key: KeyObject): VerificationKey {
  if (key.type === 'secret') throw new DomainError('x509.key_unsupported', { detail: 'a secret key verifies nothing' });
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return verificationKey(publicKey.export({ type: 'spki', format: 'der' }));
}

function parse(spkiDer: Buffer): KeyObject {
  try {
    return importPublicKey(spkiDer);
  } catch (cause) {
    throw new DomainError('x509.key_unsupported', { cause, detail: 'the key does not parse' });
  }
}

function head(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.subarray(0, length);
}
