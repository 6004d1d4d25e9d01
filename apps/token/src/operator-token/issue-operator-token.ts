/** Decides what an operator's access token says: bearer, an audience of its own, a quarter of an hour. */
import { OPERATOR_AUDIENCE, type OperatorClaims } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { JwtId } from '@outrider/ids';
import { requireClientCredentials, type TokenForm } from '../oauth/token-form.js';
import { operatorScopes } from './roles.js';

/** Seconds. Elevations, when they exist, end it earlier. */
export const OPERATOR_TOKEN_SECONDS = 900;

/** `id`: the uuid of `sub`; `roles` as stored. */
export interface OperatorAccount {
  readonly id: string;
  readonly clientId: string;
  readonly roles: readonly string[];
}

/** The scope that a form asks for; undefined: all. @throws DomainError `token.invalid_request`, `token.unsupported_grant_type`, `token.invalid_target` */
export function readOperatorTokenRequest(form: TokenForm): { readonly scope: string | undefined } {
  requireClientCredentials(form);
  if ((form.get('resource') ?? OPERATOR_AUDIENCE) !== OPERATOR_AUDIENCE) throw new DomainError('token.invalid_target');
  return { scope: form.get('scope') };
}

/** The claims. `nowMs`: milliseconds since the epoch; `jti`: fresh, random. @throws DomainError `token.invalid_scope` */
export function issueOperatorToken(
  account: OperatorAccount,
  scope: string | undefined,
  { issuer, nowMs, jti }: { readonly issuer: string; readonly nowMs: number; readonly jti: string },
): OperatorClaims {
  const iat = Math.floor(nowMs / 1000);
  return {
    iss: issuer,
    sub: `op:${account.id}`,
    client_id: account.clientId,
    aud: OPERATOR_AUDIENCE,
    iat,
    nbf: iat,
    exp: iat + OPERATOR_TOKEN_SECONDS,
    jti: JwtId.parse(jti),
    roles: [...account.roles],
    scope: operatorScopes(account.roles, scope).join(' '),
  };
}
