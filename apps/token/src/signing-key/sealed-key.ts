/** Seals a private key for the database, bound to the key's own name. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { type EncryptionKeys, seal, sealAnew, unsealByAny } from '../sealing/seal.js';

/** `nonce`: 12 random bytes, never used twice with one key. */
export function sealKey(privateKey: KeyObject, kid: string, encryptionKey: Uint8Array, nonce: Uint8Array): Buffer {
  return seal(privateKey.export({ type: 'pkcs8', format: 'der' }), context(kid), encryptionKey, nonce);
}

/** Throws a plain error where the key-encryption key or the name is another one, or the bytes were changed. */
export function openKey(sealed: Uint8Array, kid: string, encryptionKeys: EncryptionKeys): KeyObject {
  try {
    return createPrivateKey({ key: unsealByAny(sealed, context(kid), encryptionKeys), type: 'pkcs8', format: 'der' });
  } catch (cause) {
    throw new Error(`signing key ${kid} does not open: another key-encryption key, or a changed row`, { cause });
  }
}

/** By the first key; `undefined` where that one sealed it. Throws as `unseal` does. */
export function sealKeyAnew(
  sealed: Uint8Array,
  kid: string,
  encryptionKeys: EncryptionKeys,
  nonce: Uint8Array,
): Buffer | undefined {
  return sealAnew(sealed, context(kid), encryptionKeys, nonce);
}

function context(kid: string): string {
  return `outrider/token-signing-key/v1/${kid}`;
}
