/** Key identifiers: the first 20 bytes of SHA-256 over the subjectPublicKey bits (RFC 7093 §2, method 1). */
import { createHash } from 'node:crypto';
import { readDer } from './der-read.js';
import { bitStringBytes, sequenceOf } from './der-values.js';

export function keyIdentifier(spkiDer: Uint8Array): Uint8Array {
  const [, key] = sequenceOf(readDer(spkiDer), 'subjectPublicKeyInfo');
  const digest = createHash('sha256').update(bitStringBytes(key, 'subjectPublicKey')).digest();
  return Uint8Array.from(digest.subarray(0, 20));
}
