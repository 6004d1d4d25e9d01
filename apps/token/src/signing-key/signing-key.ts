/** Decides which keys are published and which one signs: publish -> (wait) -> sign -> retire, so that no verifier meets a key it could not have fetched. */
import type { KeyObject } from 'node:crypto';
import type { Jwk, Jwks } from '@outrider/contracts';
import { sha256Base64url } from '@outrider/crypto';

export type SigningKeyState = 'publish' | 'sign' | 'retire';

export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  readonly state: SigningKeyState;
  /** When it entered the state. */
  readonly since: Date;
  readonly createdAt: Date;
  readonly privateKey: KeyObject;
  readonly publicJwk: Jwk;
}

/** The one that signs: the newest in state `sign`; undefined when there is none. */
export function currentSigningKey(keys: readonly SigningKey[]): SigningKey | undefined {
  return keys.filter((key) => key.state === 'sign').sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime())[0];
}

/** All that exist: those to come, so that verifiers know them in time, and those retired, until the last token by them has expired. Newest first. */
export function publishedJwks(keys: readonly SigningKey[]): Jwks {
  const newestFirst = [...keys].sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  return { keys: newestFirst.map((key) => key.publicJwk) };
}

/** Whether two sets publish the same keys. */
export function sameJwks(left: Jwks, right: Jwks): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

/** The JWK of a P-256 key, named by its RFC 7638 thumbprint. Throws a plain error for any other key: that is a bug. */
export function publicJwk(publicKey: KeyObject): Jwk {
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  if (kty !== 'EC' || crv !== 'P-256' || !x || !y) throw new Error('a token signing key is not P-256');
  const kid = sha256Base64url(JSON.stringify({ crv, kty, x, y }));
  return { kty, crv, x, y, kid, use: 'sig', alg: 'ES256' };
}
