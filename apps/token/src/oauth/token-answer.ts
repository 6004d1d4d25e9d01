/** The answer to a token request (RFC 6749 §5.1). */

export interface TokenAnswer {
  readonly access_token: string;
  /** `DPoP`: taken with a proof of the key that it is bound to alone (RFC 9449 §5). */
  readonly token_type: 'Bearer' | 'DPoP';
  /** Seconds. */
  readonly expires_in: number;
  readonly scope: string;
  readonly refresh_token?: string;
}

interface AnsweredClaims {
  readonly iat: number;
  readonly exp: number;
  readonly scope: string;
  readonly cnf?: { readonly jkt?: string | undefined };
}

export function tokenAnswer(
  accessToken: string,
  { iat, exp, scope, cnf }: AnsweredClaims,
  refreshToken?: string,
): TokenAnswer {
  return {
    access_token: accessToken,
    token_type: cnf?.jkt === undefined ? 'Bearer' : 'DPoP',
    expires_in: exp - iat,
    scope,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
  };
}
