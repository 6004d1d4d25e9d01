/** The token service's own signing key, opened with its key-encryption key: for tokens that differ from good ones in one thing only. */
import { createDecipheriv, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { query } from './database.js';
import { configOf, secretIn } from './service-config.js';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface TokenSigningKey {
  readonly kid: string;
  readonly key: KeyObject;
}

export async function tokenSigningKey(): Promise<TokenSigningKey> {
  const [row] = await query<{ kid: string; sealed_private_key: Buffer }>(
    "SELECT kid, sealed_private_key FROM token.signing_keys WHERE state = 'sign' ORDER BY created_at DESC LIMIT 1",
  );
  if (!row) throw new Error('the token service has no signing key');
  const file = configOf('token').signingKeys?.encryptionKeyFile;
  const text = secretIn(file ?? '');
  const encryptionKey = Buffer.from(text, /^[0-9a-fA-F]{64}$/.test(text) ? 'hex' : 'base64');
  const sealed = row.sealed_private_key;
  const decipher = createDecipheriv('aes-256-gcm', encryptionKey, sealed.subarray(0, NONCE_BYTES));
  decipher.setAAD(Buffer.from(`outrider/token-signing-key/v1/${row.kid}`));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const der = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  return { kid: row.kid, key: createPrivateKey({ key: der, type: 'pkcs8', format: 'der' }) };
}

export type Members = Readonly<Record<string, unknown>>;

export function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Header and claims of a compact JWS, unverified. */
export function partsOf(compact: string): { header: Members; claims: Members } {
  const [header, claims] = compact.split('.').map((one) => Buffer.from(one, 'base64url').toString());
  return { header: JSON.parse(header ?? '') as Members, claims: JSON.parse(claims ?? '') as Members };
}

/** ES256, whatever the header says. */
export function signedJws(header: Members, claims: Members, key: KeyObject): string {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
