/** Decides whether the `jwk` of a DPoP proof is a public key that we take, and what its thumbprint is (RFC 9449 §4.2, RFC 7638). */
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { decodeBase64url, sha256Base64url, type VerificationKey, verificationKeyOf } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { z } from 'zod';

/** For metadata and challenges (RFC 9449 §5.1, §7.1). */
export const DPOP_ALGORITHMS = ['ES256', 'ES384', 'EdDSA'] as const;

/** Base64url of exactly so many bytes: a coordinate has one spelling, so a key has one thumbprint. */
const bytes = (length: number) => z.string().refine((text) => decodeBase64url(text)?.length === length);

/** Strict: no private member, no certificate, no `use` that would contradict ours; the members that RFC 7638 hashes and no other. */
const PublicJwk = z.union([
  z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: bytes(32), y: bytes(32) }),
  z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-384'), x: bytes(48), y: bytes(48) }),
  z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: bytes(32) }),
]);
export type DpopJwk = z.infer<typeof PublicJwk>;

export interface DpopKey {
  readonly key: VerificationKey;
  /** 43 characters, for `cnf.jkt`. */
  readonly jkt: string;
}

/** Undefined for anything that is no such key, a point off its curve included. */
export function dpopKey(jwk: unknown): DpopKey | undefined {
  const parsed = PublicJwk.safeParse(jwk);
  if (!parsed.success) return undefined;
  try {
    const key = verificationKeyOf(createPublicKey({ key: parsed.data as JsonWebKey, format: 'jwk' }));
    return { key, jkt: jwkThumbprint(parsed.data) };
  } catch (error) {
    if (error instanceof DomainError || (error as { code?: string }).code?.startsWith('ERR_')) return undefined;
    throw error;
  }
}

/** RFC 7638 §3: SHA-256 over the required members in the order of their names. */
export function jwkThumbprint(jwk: DpopJwk): string {
  const { kty, crv, x } = jwk;
  const members = jwk.kty === 'EC' ? { crv, kty, x, y: jwk.y } : { crv, kty, x };
  return sha256Base64url(JSON.stringify(members));
}
