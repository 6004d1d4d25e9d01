/** Decides what is said of a token (RFC 7662 §2.2): all of it while it is good, and of any other nothing but that it is not. */
import type { DenylistSubject, DeviceClaims, OperatorClaims } from '@outrider/admission';

export type IssuedClaims = DeviceClaims | OperatorClaims;

export type Introspection =
  | { readonly active: false }
  | ({ readonly active: true; readonly token_type: 'Bearer' | 'DPoP' } & IssuedClaims);

/** One and the same for a token that is malformed, another's, expired, revoked or of a client out of service: it tells nothing apart. */
export const INACTIVE: Introspection = Object.freeze({ active: false });

export function isDeviceToken(claims: IssuedClaims): claims is DeviceClaims {
  return 'cnf' in claims;
}

/** In whose name the token speaks, for the denylist: the certificate it came from ends it too. */
export function denylistSubjectOf(claims: IssuedClaims): DenylistSubject {
  if (!isDeviceToken(claims)) return { tokenId: claims.jti };
  return { tokenId: claims.jti, tokenThumbprint: claims.cnf['x5t#S256'], deviceId: claims.sub };
}

/**
 * @param claims undefined: the token did not verify.
 * @param standing whether the denylist says nothing of it, in any mode, and its client still has an account.
 */
export function introspect(claims: IssuedClaims | undefined, standing: boolean): Introspection {
  if (!claims || !standing) return INACTIVE;
  const bound = isDeviceToken(claims) && claims.cnf.jkt !== undefined;
  return { active: true, token_type: bound ? 'DPoP' : 'Bearer', ...claims };
}
