/** Seals secrets for the database: AES-256-GCM by the key-encryption key that all replicas share, bound to what the secret is and whose. */
import { createCipheriv, createDecipheriv } from 'node:crypto';

/** The one that seals, and those before it. */
export type EncryptionKeys = readonly [Uint8Array, ...Uint8Array[]];

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The 32 bytes of a key-encryption key, written as 64 hex digits or as base64. Throws a plain error for anything else. */
export function parseEncryptionKey(text: string): Buffer {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  if (/^[A-Za-z0-9+/]{43}=$/.test(text)) return Buffer.from(text, 'base64');
  throw new Error('a key-encryption key is 32 bytes, in hex or base64');
}

/** One a line: the first seals, all of them open. A new key comes first, and the one before stays below until nothing is sealed by it (docs/runbooks/token-key-encryption.md). */
export function parseEncryptionKeys(text: string): EncryptionKeys {
  const [first, ...others] = text.split(/\r?\n/).map(parseEncryptionKey);
  return [first as Buffer, ...others];
}

/** nonce || ciphertext || tag. `context`: what it is and whose; it opens under the same alone. `nonce`: 12 random bytes, never used twice with one key. */
export function seal(secret: Uint8Array, context: string, encryptionKey: Uint8Array, nonce: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', encryptionKey, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
}

/** The same by whichever of the keys it was sealed by. Throws as `unseal` does. */
export function unsealByAny(sealed: Uint8Array, context: string, keys: EncryptionKeys): Buffer {
  const errors: unknown[] = [];
  for (const key of keys) {
    try {
      return unseal(sealed, context, key);
    } catch (error) {
      errors.push(error);
    }
  }
  throw errors[0];
}

/** The same secret, sealed by the first key; `undefined` where that one sealed it. Throws as `unseal` does. `nonce`: as `seal` takes it. */
export function sealAnew(
  sealed: Uint8Array,
  context: string,
  keys: EncryptionKeys,
  nonce: Uint8Array,
): Buffer | undefined {
  try {
    unseal(sealed, context, keys[0]);
    return undefined;
  } catch {
    return seal(unsealByAny(sealed, context, keys), context, keys[0], nonce);
  }
}

/** Throws a plain error where the key-encryption key or the context is another one, or the bytes were changed or cut short. */
export function unseal(sealed: Uint8Array, context: string, encryptionKey: Uint8Array): Buffer {
  const bytes = Buffer.from(sealed);
  if (bytes.length <= NONCE_BYTES + TAG_BYTES) throw new Error('the sealed secret is cut short');
  const decipher = createDecipheriv('aes-256-gcm', encryptionKey, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}
