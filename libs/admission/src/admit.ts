/** Decides whether a vehicle's request may go on, check by check in the order of ARCHITECTURE.md. */
import type { ErrorCode } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import type { DeviceClaims } from './access-token.js';
import { admitDevice, checkBinding, checkKeyBinding, hasScope } from './binding.js';
import type { Denylist } from './denylist.js';
import { type DenylistEntry, type DenylistSubject, denylistCode } from './denylist-entry.js';
import type { PresentedToken } from './dpop-challenge.js';
import type { DpopProof, ProofVerdict } from './dpop-proof.js';
import { type FreshnessLimits, freshness } from './freshness.js';
import type { TokenVerdict } from './verify-access-token.js';

/** What a route asks for. `scopes`: any one of them. `control`: fails closed earlier. `recovery`: open in recovery mode. */
export interface AdmissionRoute {
  readonly require: 'anyone' | 'certificate' | 'token';
  readonly scopes: readonly string[];
  readonly control: boolean;
  readonly recovery: boolean;
}

/** A client certificate as the handshake left it. `authorized`: its chain reached one of the listener's anchors. `deviceId`: of its SAN URI. */
export interface ClientCertificate {
  readonly authorized: boolean;
  readonly thumbprint: Thumbprint;
  readonly serial: string;
  readonly keyThumbprint: string;
  readonly deviceId: DeviceId | undefined;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * `certificate`: of the connection, or the one that a configured proxy forwarded, which then stands for it. `scheme`: by which the token
 * came, default Bearer. `pathDevice`: the route's own device, where it has one.
 */
export interface AdmissionRequest {
  readonly certificate: ClientCertificate | undefined;
  /** The certificate came in a header of a configured proxy: it alone proves nothing that control could rest on. */
  readonly forwarded?: boolean;
  readonly remoteAddress: string;
  /** The token as sent, undefined without one. */
  readonly bearer: string | undefined;
  readonly scheme?: PresentedToken['scheme'] | undefined;
  readonly pathDevice?: string | undefined;
}

/**
 * `feedAgeMs`: monotonic age of the denylist. `verifyToken`: by the keys and the audience of this service. `verifyProof`: the request's
 * DPoP proof with this token; absent where DPoP is not taken.
 */
export interface AdmissionContext {
  readonly denylist: Pick<Denylist, 'match'>;
  readonly feedAgeMs: number;
  readonly freshnessLimits: FreshnessLimits;
  readonly verifyToken: (compact: string) => TokenVerdict<DeviceClaims>;
  readonly verifyProof?: ((accessToken: string) => ProofVerdict) | undefined;
  readonly nowMs: number;
}

export interface Allowed {
  readonly decision: 'allow';
  readonly deviceId: DeviceId | undefined;
  readonly claims: DeviceClaims | undefined;
  /** To be used up before the request goes on, since one proof serves once (RFC 9449 §11.1). */
  readonly proof?: DpopProof;
  /** The caller is on the denylist in recovery mode and this route is open to it. */
  readonly recovery: boolean;
}

export interface Denied {
  readonly decision: 'deny';
  readonly code: ErrorCode;
  /** For the decision log and the answer; no secret and no token in it. */
  readonly reason: string;
  readonly deviceId?: DeviceId | undefined;
  readonly entry?: DenylistEntry;
  /** The token names an unknown key: fetch keys, decide again. */
  readonly unknownKid?: string;
}

export type AdmissionDecision = Allowed | Denied;

export function admit(route: AdmissionRoute, request: AdmissionRequest, context: AdmissionContext): AdmissionDecision {
  const certificate = checkCertificate(route, request, context);
  if (certificate) return certificate;
  const caller = checkDenylist(route, connectionSubject(request), context);
  if (isDenied(caller)) return caller;
  const stale = checkFreshness(route, context);
  if (stale) return stale;
  if (route.require !== 'token') return allow(request.certificate?.deviceId, undefined, caller.recovery);
  const token = checkToken(request, context);
  if (isDenied(token)) return token;
  const holder = checkHolder(route, token, request, context);
  if (isDenied(holder)) return holder;
  const origin = checkDenylist(route, tokenSubject(token, holder.proof), context);
  if (isDenied(origin)) return origin;
  const refused = checkScopeAndDevice(route, token, request);
  if (refused) return refused;
  const allowed = allow(token.sub, token, caller.recovery || origin.recovery);
  return holder.proof ? { ...allowed, proof: holder.proof } : allowed;
}

/** The words of the denylist for the connection a request came by; also what its live connections are filed under. */
export function connectionSubject({
  certificate,
  remoteAddress,
}: Pick<AdmissionRequest, 'certificate' | 'remoteAddress'>): DenylistSubject {
  if (!certificate) return { remoteAddress };
  const { thumbprint, serial, keyThumbprint, deviceId } = certificate;
  return { thumbprint, serial, keyThumbprint, deviceId, remoteAddress };
}

function checkCertificate(
  route: AdmissionRoute,
  { certificate }: AdmissionRequest,
  { nowMs }: AdmissionContext,
): Denied | undefined {
  if (route.require === 'anyone') return undefined;
  if (!certificate) return deny('tls.certificate_required', 'no client certificate');
  if (!certificate.authorized) return deny('tls.certificate_invalid', 'no path to an anchor of this listener');
  // The handshake looked at the clock once; a connection may outlive its certificate.
  if (nowMs < certificate.notBefore.getTime()) return deny('tls.certificate_invalid', 'not valid yet');
  if (nowMs > certificate.notAfter.getTime()) return deny('tls.certificate_expired', 'expired');
  return undefined;
}

function checkDenylist(
  route: AdmissionRoute,
  subject: DenylistSubject,
  { denylist, nowMs }: AdmissionContext,
): Denied | { readonly recovery: boolean } {
  const entry = denylist.match(subject, nowMs);
  if (!entry) return { recovery: false };
  if (entry.mode === 'recovery' && route.recovery) return { recovery: true };
  const reason = entry.mode === 'recovery' ? `${entry.reason}; only recovery is open` : entry.reason;
  return { ...deny(denylistCode(entry.kind), reason), entry };
}

function checkFreshness(route: AdmissionRoute, { feedAgeMs, freshnessLimits }: AdmissionContext): Denied | undefined {
  const state = freshness(feedAgeMs, freshnessLimits);
  if (state === 'stale' || (state === 'control_stale' && route.control)) {
    return deny('revocation.stale', `the revocation feed is ${describeAge(feedAgeMs)}`);
  }
  return undefined;
}

function checkToken({ bearer }: AdmissionRequest, { verifyToken }: AdmissionContext): Denied | DeviceClaims {
  if (bearer === undefined) return deny('auth.token_missing', 'no access token');
  const verdict = verifyToken(bearer);
  if (verdict.ok) return verdict.claims;
  const { code, reason, unknownKid } = verdict;
  return unknownKid === undefined ? deny(code, reason) : { ...deny(code, reason), unknownKid };
}

/** Holder of key, never bearer: all that the token is bound to must be shown, the certificate always, the DPoP key where it names one. */
function checkHolder(
  route: AdmissionRoute,
  claims: DeviceClaims,
  { certificate, forwarded, bearer, scheme = 'Bearer' }: AdmissionRequest,
  { verifyProof }: AdmissionContext,
): Denied | { readonly proof: DpopProof | undefined } {
  const device = certificate?.deviceId;
  if (!certificate || !checkBinding(claims, certificate.thumbprint)) {
    // The vehicle's own, from before it renewed: nobody stole anything, and another token is to be had at once.
    if (device === claims.sub)
      return deny('auth.token_superseded', 'bound to another certificate of the vehicle', device);
    return deny('auth.token_binding_mismatch', 'bound to another certificate', device);
  }
  const bound = claims.cnf.jkt !== undefined;
  if (bound && scheme !== 'DPoP') return deny('auth.dpop_required', 'bound to a key, sent as a bearer token', device);
  if (!bound && scheme === 'DPoP') return deny('auth.token_binding_mismatch', 'bound to no DPoP key', device);
  if (!bound && forwarded && route.control) return deny('auth.dpop_required', 'control through a proxy', device);
  if (!bound) return { proof: undefined };
  const verdict = verifyProof?.(bearer as string);
  if (!verdict) return deny('auth.dpop_invalid', 'DPoP is not taken here', device);
  if (!verdict.ok) return deny(verdict.code, verdict.reason, device);
  if (checkKeyBinding(claims, verdict.proof.jkt)) return { proof: verdict.proof };
  return deny('auth.token_binding_mismatch', 'bound to another DPoP key', device);
}

/** The certificate that the token came from ends it, and so does the key that it is bound to. */
function tokenSubject(claims: DeviceClaims, proof: DpopProof | undefined): DenylistSubject {
  const subject = { tokenId: claims.jti, tokenThumbprint: claims.cnf['x5t#S256'], deviceId: claims.sub };
  return proof ? { ...subject, keyThumbprint: proof.keyThumbprint } : subject;
}

function checkScopeAndDevice(
  route: AdmissionRoute,
  claims: DeviceClaims,
  { certificate, pathDevice }: AdmissionRequest,
): Denied | undefined {
  const device = admitDevice({ tokenDevice: claims.sub, certificateDevice: certificate?.deviceId, pathDevice });
  if (!device) return deny('auth.wrong_device', 'token, certificate and path differ', certificate?.deviceId);
  if (!hasScope(claims.scope, route.scopes)) {
    return deny('auth.scope_insufficient', `needs ${route.scopes.join(' or ')}`, claims.sub);
  }
  return undefined;
}

function allow(deviceId: DeviceId | undefined, claims: DeviceClaims | undefined, recovery: boolean): Allowed {
  return { decision: 'allow', deviceId, claims, recovery };
}

function deny(code: ErrorCode, reason: string, deviceId?: DeviceId): Denied {
  return { decision: 'deny', code, reason, ...(deviceId === undefined ? {} : { deviceId }) };
}

function isDenied(value: object): value is Denied {
  return 'decision' in value;
}

function describeAge(ageMs: number): string {
  return Number.isFinite(ageMs) ? `${Math.round(ageMs / 1000)} s old` : 'not there yet';
}
