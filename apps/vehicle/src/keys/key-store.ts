/** What the agent asks of the place its private keys live in: files today, a TPM or a PKCS#11 token by another implementation. */
import type { KeyObject } from 'node:crypto';

export type KeyType = 'P-256' | 'Ed25519';

/**
 * Keys have names of `[a-z0-9-]`, chosen by the agent (`ldevid-1`, `ldevid-2`, ...). Nothing outside a KeyStore sees private key material,
 * except that TLS needs a handle to it: `privateKeyForTls`.
 */
export interface KeyStore {
  /** Makes a key and returns its public half. A name that exists keeps its key: the call can be repeated after a crash. */
  generate(name: string, type: KeyType): Promise<KeyObject>;
  /** Rejects when there is no such key. */
  publicKey(name: string): Promise<KeyObject>;
  /** Ed25519: 64 bytes (RFC 8032). P-256: ECDSA with SHA-256, r||s, 64 bytes (RFC 7518 §3.4). */
  sign(name: string, bytes: Uint8Array): Promise<Buffer>;
  /** DER of a PKCS#10 request for this key, signed by it; `commonName` undefined leaves the subject empty. */
  certificationRequest(name: string, commonName: string | undefined): Promise<Uint8Array>;
  /** What Node's TLS takes as `key`: PEM here; a hardware store would answer with its provider's URI in PEM form (`pkcs11:`, `tpm2`). */
  privateKeyForTls(name: string): Promise<string>;
  /** Destroys the key for good. A name that is not there is no error. */
  remove(name: string): Promise<void>;
}
