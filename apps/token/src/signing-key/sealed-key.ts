/** Seals a private key for the database: AES-256-GCM by the key-encryption key that all replicas share, bound to the key's own name. */
import { createCipheriv, createDecipheriv, createPrivateKey, type KeyObject } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The 32 bytes of a key-encryption key, written as 64 hex digits or as base64. Throws a plain error for anything else. */
export function parseEncryptionKey(text: string): Buffer {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  if (/^[A-Za-z0-9+/]{43}=$/.test(text)) return Buffer.from(text, 'base64');
  throw new Error('a key-encryption key is 32 bytes, in hex or base64');
}

/** nonce || ciphertext || tag. `nonce`: 12 random bytes, never used twice with one key. */
export function sealKey(privateKey: KeyObject, kid: string, encryptionKey: Uint8Array, nonce: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', encryptionKey, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(context(kid));
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  return Buffer.concat([nonce, cipher.update(der), cipher.final(), cipher.getAuthTag()]);
}

/** Throws a plain error where the key-encryption key or the name is another one, or the bytes were changed. */
export function openKey(sealed: Uint8Array, kid: string, encryptionKey: Uint8Array): KeyObject {
  const bytes = Buffer.from(sealed);
  if (bytes.length <= NONCE_BYTES + TAG_BYTES) throw new Error(`signing key ${kid}: the sealed key is cut short`);
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', encryptionKey, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(context(kid));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const der = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    return createPrivateKey({ key: der, type: 'pkcs8', format: 'der' });
  } catch (cause) {
    throw new Error(`signing key ${kid} does not open: another key-encryption key, or a changed row`, { cause });
  }
}

function context(kid: string): Buffer {
  return Buffer.from(`outrider/token-signing-key/v1/${kid}`);
}
