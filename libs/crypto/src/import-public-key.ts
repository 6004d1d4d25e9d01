/** Public keys from their DER, each parsed once: OpenSSL takes as long to import a key as to verify with it. */
import { createPublicKey, type KeyObject } from 'node:crypto';

/** A certificate's key is looked at several times while it is issued, an issuer's each time; those of strangers push nobody out for long. */
const REMEMBERED = 512;
const imported = new Map<string, KeyObject>();

/**
 * SubjectPublicKeyInfo DER as node:crypto holds it. OpenSSL checks on import that an EC point lies on its curve. The same bytes give
 * the same object.
 * @throws Error of OpenSSL for what is no key
 */
export function importPublicKey(spkiDer: Uint8Array): KeyObject {
  const bytes = Buffer.from(spkiDer.buffer, spkiDer.byteOffset, spkiDer.byteLength);
  const name = bytes.toString('latin1');
  const known = imported.get(name);
  if (known) return known;
  const key = createPublicKey({ key: bytes, format: 'der', type: 'spki' });
  // The oldest goes: insertion order is all that is kept, which costs nothing to keep.
  if (imported.size >= REMEMBERED) imported.delete(imported.keys().next().value as string);
  imported.set(name, key);
  return key;
}
