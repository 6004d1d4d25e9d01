/** Decides whether a compact JWT is an access token of ours, now, for this audience (RFC 9068 §4, RFC 8725). */
import { JWS_TYP, type VerificationKey, verifyJws } from '@outrider/crypto';
import type { ErrorCode } from '@outrider/errors';
import { z } from 'zod';
import { DeviceClaims, OperatorClaims } from './access-token.js';
import { jsonOf, readCompactJws } from './compact-jws.js';

/** Characters of a compact token; a longer one is not parsed. */
export const MAX_TOKEN_BYTES = 4096;

/** Whatever the token is for: what its issuer may say where it is asked about it, and no resource ever. */
export const ANY_AUDIENCE = Symbol('any audience');

/** `nowMs`: milliseconds since the epoch. `skewSeconds`: how far ahead of us iat and nbf may be; exp has no grace. */
export interface TokenExpectation {
  readonly issuer: string;
  readonly audience: string | typeof ANY_AUDIENCE;
  readonly nowMs: number;
  readonly skewSeconds: number;
}

export interface TokenRefusal {
  readonly ok: false;
  readonly code: Extract<ErrorCode, 'auth.token_invalid' | 'auth.token_expired'>;
  /** For the decision log; says nothing of the token's contents. */
  readonly reason: string;
  /** The token names a key that is not known: it may be new. Look for it, then decide again. */
  readonly unknownKid?: string;
}
export type TokenVerdict<C> = { readonly ok: true; readonly claims: C } | TokenRefusal;

/** Public keys by `kid`. */
export type KeyLookup = (kid: string) => VerificationKey | undefined;

/** A vehicle's token. */
export function verifyDeviceToken(compact: string, keys: KeyLookup, expected: TokenExpectation) {
  return verifyAccessToken(compact, keys, expected, DeviceClaims);
}

/** An operator's token; `expected.audience` is OPERATOR_AUDIENCE. */
export function verifyOperatorToken(compact: string, keys: KeyLookup, expected: TokenExpectation) {
  return verifyAccessToken(compact, keys, expected, OperatorClaims);
}

/** A token of either kind, whatever it is for: for its issuer's own answers about it. */
export function verifyIssuedToken(compact: string, keys: KeyLookup, expected: Omit<TokenExpectation, 'audience'>) {
  return verifyAccessToken(
    compact,
    keys,
    { ...expected, audience: ANY_AUDIENCE },
    z.union([DeviceClaims, OperatorClaims]),
  );
}

/**
 * Order: size, form, key, header and signature, then the claims. The header may hold `alg`, `typ` and `kid` alone; `typ` is
 * `at+jwt` to the letter; the key fixes the algorithm, ES256. Never throws on any input.
 */
export function verifyAccessToken<S extends z.ZodType<TimedClaims>>(
  compact: string,
  keys: KeyLookup,
  expected: TokenExpectation,
  schema: S,
): TokenVerdict<z.output<S>> {
  const parsed = readCompactJws(compact, MAX_TOKEN_BYTES);
  if (!parsed) return invalid('malformed');
  const { kid } = parsed.header;
  if (typeof kid !== 'string' || kid.length === 0 || kid.length > 128) return invalid('kid missing');
  const key = keys(kid);
  if (!key) return { ...invalid('unknown kid'), unknownKid: kid };
  if (key.algorithm !== 'ES256') return invalid('the key is not for tokens');
  const verified = verifyJws(parsed, key, { typ: JWS_TYP.accessToken, allowedHeaders: ['kid'] });
  if (!verified.ok) return invalid(verified.reason);
  const claims = schema.safeParse(jsonOf(parsed.payload));
  if (!claims.success) return invalid('claims');
  return checkTimes(claims.data, expected);
}

interface TimedClaims {
  readonly iss: string;
  readonly aud: string;
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
}

function checkTimes<C extends TimedClaims>(claims: C, expected: TokenExpectation): TokenVerdict<C> {
  const now = expected.nowMs / 1000;
  if (claims.iss !== expected.issuer) return invalid('issuer');
  if (expected.audience !== ANY_AUDIENCE && claims.aud !== expected.audience) return invalid('audience');
  if (claims.exp <= claims.iat) return invalid('expires before it was issued');
  if (claims.iat > now + expected.skewSeconds) return invalid('issued in the future');
  if (claims.nbf > now + expected.skewSeconds) return invalid('not valid yet');
  if (claims.exp <= now) return { ok: false, code: 'auth.token_expired', reason: 'expired' };
  return { ok: true, claims };
}

function invalid(reason: string): TokenRefusal {
  return { ok: false, code: 'auth.token_invalid', reason };
}
