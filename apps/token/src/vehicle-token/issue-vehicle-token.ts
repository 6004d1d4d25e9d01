/** Decides what a vehicle's access token says (RFC 9068 §2.2, RFC 8705 §3.1), or why there is none. */
import type { DeviceClaims } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { DeviceId, JwtId, Thumbprint } from '@outrider/ids';
import { type DeviceKnowledge, requireControl, requireTelemetry } from '../device/device.js';
import { scopeTokens } from '../oauth/scope-tokens.js';
import { requireClientCredentials, required, type TokenForm } from '../oauth/token-form.js';
import { OFFLINE_SCOPE } from '../refresh/decide-refresh.js';
import { decideLifetime, parseLifetime } from './lifetime.js';
import { decideScope, OWN_SCOPES, type ScopeCatalogue, type ScopeGrant, usualScope } from './scope.js';

/** A well-formed request of an authenticated device. */
export interface VehicleTokenRequest {
  readonly clientId: string;
  readonly grant: ScopeGrant;
  readonly requestedSeconds: number | undefined;
  /** A refresh token is asked for beside it. */
  readonly offline: boolean;
}

/** Reads a form. @throws DomainError `token.invalid_request`, `token.unsupported_grant_type`, `token.invalid_scope`, `token.invalid_target` */
export function readVehicleTokenRequest(form: TokenForm, catalogue: ScopeCatalogue = OWN_SCOPES): VehicleTokenRequest {
  requireClientCredentials(form);
  const usual = form.has('resource') ? undefined : usualScope(form.get('scope'), catalogue);
  if (usual) return { ...readRest(form), grant: usual, offline: false };
  const asked = form.has('scope') ? scopeTokens(form.get('scope') as string) : [];
  const scopes = asked.filter((scope) => scope !== OFFLINE_SCOPE);
  return {
    ...readGrant(form, scopes.length > 0 ? scopes.join(' ') : undefined, catalogue),
    offline: scopes.length < asked.length,
  };
}

/**
 * The same for a refresh token: the scope of its family, or less of it (RFC 6749 §6).
 * @throws DomainError `token.invalid_request`, `token.invalid_scope`, `token.invalid_target`
 */
export function readRefreshRequest(
  form: TokenForm,
  familyScope: string,
  catalogue: ScopeCatalogue = OWN_SCOPES,
): VehicleTokenRequest {
  const asked = scopeTokens(form.get('scope') ?? familyScope);
  const held = familyScope.split(' ');
  if (!asked.every((scope) => held.includes(scope))) {
    throw new DomainError('token.invalid_scope', { detail: 'more than the refresh token is for' });
  }
  return { ...readGrant(form, asked.join(' '), catalogue), offline: false };
}

function readGrant(form: TokenForm, scope: string | undefined, catalogue: ScopeCatalogue) {
  const clientId = required(form, 'client_id');
  const grant = decideScope(scope, form.get('resource'), catalogue);
  return { clientId, grant, requestedSeconds: parseLifetime(form.get('requested_lifetime')) };
}

function readRest(form: TokenForm) {
  const clientId = required(form, 'client_id');
  return { clientId, requestedSeconds: parseLifetime(form.get('requested_lifetime')) };
}

/** Where the token comes from. Times in milliseconds since the epoch; `jti`: fresh, random. */
export interface IssueContext {
  readonly issuer: string;
  readonly deviceId: DeviceId;
  readonly device: DeviceKnowledge;
  readonly thumbprint: Thumbprint;
  /** Of the DPoP key that the request proved possession of (RFC 9449 §5), where it did. */
  readonly jkt?: string | undefined;
  readonly notAfterMs: number;
  readonly nowMs: number;
  readonly jti: JwtId;
}

/**
 * The claims. `cnf` names the certificate it came from, so that revoking the certificate reaches the token.
 * @throws DomainError of `requireTelemetry`, `requireControl` and `decideLifetime`
 */
export function issueVehicleToken(
  { grant, requestedSeconds }: VehicleTokenRequest,
  context: IssueContext,
): DeviceClaims {
  if (grant.family === 'control') requireControl(context.device, grant.scopes);
  else requireTelemetry(context.device, grant.scopes);
  const { iat, exp } = decideLifetime(grant.family, requestedSeconds, context);
  return {
    iss: context.issuer,
    sub: context.deviceId,
    client_id: context.deviceId,
    aud: grant.audience,
    iat,
    nbf: iat,
    exp,
    jti: context.jti,
    scope: grant.scopes.join(' '),
    cnf: { 'x5t#S256': context.thumbprint, ...(context.jkt === undefined ? {} : { jkt: context.jkt }) },
  };
}
