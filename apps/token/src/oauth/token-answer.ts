/** The answer to a token request (RFC 6749 §5.1). */

export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  /** Seconds. */
  readonly expires_in: number;
  readonly scope: string;
}

export function tokenAnswer(
  accessToken: string,
  { iat, exp, scope }: { readonly iat: number; readonly exp: number; readonly scope: string },
): TokenAnswer {
  return { access_token: accessToken, token_type: 'Bearer', expires_in: exp - iat, scope };
}
