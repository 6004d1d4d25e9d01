/** Decides what an operator's access token says: bearer, an audience of its own, a quarter of an hour. */
import { OPERATOR_AUDIENCE, type OperatorClaims } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { JwtId } from '@outrider/ids';
import { requireClientCredentials, required, type TokenForm } from '../oauth/token-form.js';
import { ASSERTION_TYPE, claimedClient } from './operator-assertion.js';
import { operatorScopes } from './roles.js';

/** Seconds. Elevations, when they exist, end it earlier. */
export const OPERATOR_TOKEN_SECONDS = 900;

/** `id`: the uuid of `sub`; `roles` as stored. */
export interface OperatorAccount {
  readonly id: string;
  readonly clientId: string;
  readonly roles: readonly string[];
}

/** A well-formed request; who it is of is not yet proved. */
export interface OperatorTokenRequest {
  readonly clientId: string;
  readonly assertion: string;
  readonly scope: string | undefined;
}

/** Reads a form. @throws DomainError `token.invalid_request`, `token.unsupported_grant_type`, `token.invalid_client`, `token.invalid_target` */
export function readOperatorTokenRequest(form: TokenForm): OperatorTokenRequest {
  requireClientCredentials(form);
  if (form.get('client_assertion_type') !== ASSERTION_TYPE) {
    throw new DomainError('token.invalid_client', { detail: 'authenticate by private_key_jwt (RFC 7523)' });
  }
  const assertion = required(form, 'client_assertion');
  const clientId = claimedClient(assertion);
  // RFC 7523 §3: client_id may be left out, and must agree where it is not.
  if ((form.get('client_id') ?? clientId) !== clientId) {
    throw new DomainError('token.invalid_client', { detail: "client_id is not the assertion's sub" });
  }
  if ((form.get('resource') ?? OPERATOR_AUDIENCE) !== OPERATOR_AUDIENCE) throw new DomainError('token.invalid_target');
  return { clientId, assertion, scope: form.get('scope') };
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
