/** Decides what an operator's access token says: bearer, an audience of its own, a quarter of an hour, never past an elevation's end. */
import {
  ACR,
  type Acr,
  type ElevatedScope,
  OPERATOR_AUDIENCE,
  type OperatorClaims,
  type OperatorScope,
  PERSONAL_SCOPES,
} from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { JwtId } from '@outrider/ids';
import { requireClientCredentials, type TokenForm } from '../oauth/token-form.js';
import { operatorScopes } from './roles.js';

/** Seconds; the end of an elevation may come earlier. */
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

/** How the operator has just shown who it is, or did at `authTime` (seconds since the epoch). `amr`: names of RFC 8176. */
export interface SignIn {
  readonly acr: Acr;
  readonly amr: readonly string[];
  readonly authTime: number;
}

/** A service account signs each request by its key. */
export function signedAssertion(nowMs: number): SignIn {
  return { acr: ACR.service, amr: ['pop'], authTime: Math.floor(nowMs / 1000) };
}

/** The grant that a token uses. */
export interface Grant {
  readonly elevationId: string;
  readonly scope: ElevatedScope;
  readonly endsAt: Date | null;
}

export interface IssueContext {
  readonly issuer: string;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Fresh, random. */
  readonly jti: string;
}

/** A person's token lets it see to its own factors too; a password alone is good for nothing else. */
function scopeOf(
  roles: readonly string[],
  asked: string | undefined,
  acr: Acr,
  grant: Grant | undefined,
): OperatorScope[] {
  if (acr === ACR.password) return [...PERSONAL_SCOPES];
  const scopes = operatorScopes(roles, asked, grant ? [grant.scope] : []);
  return acr === ACR.service ? scopes : [...scopes, ...PERSONAL_SCOPES];
}

/** The claims. @throws DomainError `token.invalid_scope` */
export function issueOperatorToken(
  account: OperatorAccount,
  scope: string | undefined,
  { acr, amr, authTime }: SignIn,
  grant: Grant | undefined,
  { issuer, nowMs, jti }: IssueContext,
): OperatorClaims {
  const iat = Math.floor(nowMs / 1000);
  const end = grant?.endsAt ? Math.floor(grant.endsAt.getTime() / 1000) : Number.POSITIVE_INFINITY;
  return {
    iss: issuer,
    sub: `op:${account.id}`,
    client_id: account.clientId,
    aud: OPERATOR_AUDIENCE,
    iat,
    nbf: iat,
    exp: Math.min(iat + OPERATOR_TOKEN_SECONDS, end),
    jti: JwtId.parse(jti),
    roles: [...account.roles],
    scope: scopeOf(account.roles, scope, acr, grant).join(' '),
    acr,
    amr: [...amr],
    auth_time: authTime,
    ...(grant ? { elevation: grant.elevationId } : {}),
  };
}
