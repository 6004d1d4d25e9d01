/** Key identifiers: the first 20 bytes of SHA-256 over the subjectPublicKey bits (RFC 7093 §2, method 1). */
import { hash } from 'node:crypto';
import { readDer } from './der-read.js';
import { bitStringBytes, sequenceOf } from './der-values.js';

export function keyIdentifier(spkiDer: Uint8Array): Uint8Array {
  const [, key] = sequenceOf(readDer(spkiDer), 'subjectPublicKeyInfo');
  const digest = hash('sha256', bitStringBytes(key, 'subjectPublicKey'), 'buffer');
  return Uint8Array.from(digest.subarray(0, 20));
}
