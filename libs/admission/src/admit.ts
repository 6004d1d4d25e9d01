/** Decides whether a vehicle's request may go on: DESIGN §4, in its order. */
import type { ErrorCode } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import type { DeviceClaims } from './access-token.js';
import { admitDevice, checkBinding, hasScope } from './binding.js';
import type { Denylist } from './denylist.js';
import { type DenylistEntry, type DenylistSubject, denylistCode } from './denylist-entry.js';
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

/** `bearer`: the token as sent, undefined without one. `pathDevice`: the route's own device, where it has one. */
export interface AdmissionRequest {
  readonly certificate: ClientCertificate | undefined;
  readonly remoteAddress: string;
  readonly bearer: string | undefined;
  readonly pathDevice?: string | undefined;
}

/** `feedAgeMs`: monotonic age of the denylist. `verifyToken`: by the keys and the audience of this service. */
export interface AdmissionContext {
  readonly denylist: Pick<Denylist, 'match'>;
  readonly feedAgeMs: number;
  readonly freshnessLimits: FreshnessLimits;
  readonly verifyToken: (compact: string) => TokenVerdict<DeviceClaims>;
  readonly nowMs: number;
}

export interface Allowed {
  readonly decision: 'allow';
  readonly deviceId: DeviceId | undefined;
  readonly claims: DeviceClaims | undefined;
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
  const unbound = checkHolder(token, request);
  if (unbound) return unbound;
  const origin = checkDenylist(route, tokenSubject(token), context);
  if (isDenied(origin)) return origin;
  const refused = checkScopeAndDevice(route, token, request);
  if (refused) return refused;
  return allow(token.sub, token, caller.recovery || origin.recovery);
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
  if (bearer === undefined) return deny('auth.token_missing', 'no bearer token');
  const verdict = verifyToken(bearer);
  if (verdict.ok) return verdict.claims;
  const { code, reason, unknownKid } = verdict;
  return unknownKid === undefined ? deny(code, reason) : { ...deny(code, reason), unknownKid };
}

/** Holder of key, never bearer: without a certificate there is nothing the token could be bound to. */
function checkHolder(claims: DeviceClaims, { certificate }: AdmissionRequest): Denied | undefined {
  if (certificate && checkBinding(claims, certificate.thumbprint)) return undefined;
  return deny('auth.token_binding_mismatch', 'bound to another certificate', certificate?.deviceId);
}

function tokenSubject(claims: DeviceClaims): DenylistSubject {
  return { tokenId: claims.jti, tokenThumbprint: claims.cnf['x5t#S256'], deviceId: claims.sub };
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
