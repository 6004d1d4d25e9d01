import { describe, expect, it, test } from '@jest/globals';
import { DeviceId, JwtId, Thumbprint } from '@outrider/ids';
import type { DeviceClaims } from './access-token.js';
import { type AdmissionContext, type AdmissionRequest, type AdmissionRoute, admit } from './admit.js';
import { admitOperator } from './admit-operator.js';
import { bearerToken, challenge } from './challenge.js';
import { Denylist } from './denylist.js';
import type { DenylistEntry, DenylistMode } from './denylist-entry.js';
import { compareToHeartbeat, freshness } from './freshness.js';
import { ACR } from './operator-authentication.js';

const A = DeviceId.parse('device-a');
const B = DeviceId.parse('device-b');
const THUMBPRINT = Thumbprint.parse('A'.repeat(43));
const OTHER = Thumbprint.parse(`${'B'.repeat(42)}A`);
const NOW = Date.parse('2026-06-01T00:00:00Z');

const certificate = {
  authorized: true,
  thumbprint: THUMBPRINT,
  serial: 'aa-01',
  keyThumbprint: 'K1',
  deviceId: A as DeviceId | undefined,
  notBefore: new Date(NOW - 1000),
  notAfter: new Date(NOW + 1000),
};
const claims: DeviceClaims = {
  iss: 'https://127.0.0.1:8442',
  sub: A,
  client_id: A,
  aud: 'urn:outrider:command',
  iat: 0,
  nbf: 0,
  exp: NOW,
  jti: JwtId.parse('j1'),
  scope: 'command:receive command:critical',
  cnf: { 'x5t#S256': THUMBPRINT },
};
const route: AdmissionRoute = { require: 'token', scopes: ['command:receive'], control: false, recovery: false };
const request: AdmissionRequest = { certificate, remoteAddress: '192.0.2.1', bearer: 'token' };

function context(
  more: Partial<AdmissionContext> = {},
  ...entries: Pick<DenylistEntry, 'kind' | 'value'>[]
): AdmissionContext {
  return {
    denylist: listOf('deny', ...entries),
    feedAgeMs: 0,
    freshnessLimits: { controlStaleMs: 5000, staleMs: 60_000 },
    verifyToken: () => ({ ok: true, claims }),
    nowMs: NOW,
    ...more,
  };
}

function listOf(mode: DenylistMode, ...entries: Pick<DenylistEntry, 'kind' | 'value'>[]): Denylist {
  const list = new Denylist();
  for (const entry of entries) list.apply({ mode, reason: 'test', sequence: list.sequence + 1, ...entry });
  return list;
}

it('admits a vehicle that passes every check', () => {
  expect(admit(route, request, context())).toEqual({ decision: 'allow', deviceId: A, claims, recovery: false });
});

describe('each check refuses by itself', () => {
  const withCertificate = (more: object): AdmissionRequest => ({
    ...request,
    certificate: { ...certificate, ...more },
  });
  const withClaims = (more: object) => context({ verifyToken: () => ({ ok: true, claims: { ...claims, ...more } }) });
  test.each<[string, AdmissionRequest, AdmissionContext, string]>([
    ['no certificate', { ...request, certificate: undefined }, context(), 'tls.certificate_required'],
    ['no chain', withCertificate({ authorized: false }), context(), 'tls.certificate_invalid'],
    ['not valid yet', withCertificate({ notBefore: new Date(NOW + 1) }), context(), 'tls.certificate_invalid'],
    [
      'expired since the handshake',
      withCertificate({ notAfter: new Date(NOW - 1) }),
      context(),
      'tls.certificate_expired',
    ],
    ['certificate', request, context({}, { kind: 'certificate', value: THUMBPRINT }), 'denylist.certificate'],
    ['serial', request, context({}, { kind: 'serial', value: 'aa-01' }), 'denylist.certificate'],
    ['key', request, context({}, { kind: 'key', value: 'K1' }), 'denylist.key'],
    ['device', request, context({}, { kind: 'device', value: A }), 'denylist.device'],
    ['network', request, context({}, { kind: 'network', value: '192.0.2.0/24' }), 'denylist.network'],
    ['token', request, context({}, { kind: 'token', value: 'j1' }), 'denylist.token'],
    ['stale feed', request, context({ feedAgeMs: 60_001 }), 'revocation.stale'],
    ['no feed yet', request, context({ feedAgeMs: Number.POSITIVE_INFINITY }), 'revocation.stale'],
    ['no token (attack 10)', { ...request, bearer: undefined }, context(), 'auth.token_missing'],
    [
      "another's token (attack 9)",
      request,
      withClaims({ sub: B, client_id: B, cnf: { 'x5t#S256': OTHER } }),
      'auth.token_binding_mismatch',
    ],
    [
      'its own token, from before its certificate was renewed',
      request,
      withClaims({ cnf: { 'x5t#S256': OTHER } }),
      'auth.token_superseded',
    ],
    ["another device's token (attack 8)", request, withClaims({ sub: B, client_id: B }), 'auth.wrong_device'],
    ["another device's path (attack 8)", { ...request, pathDevice: B }, context(), 'auth.wrong_device'],
    ['no device in the certificate', withCertificate({ deviceId: undefined }), context(), 'auth.wrong_device'],
    ['no scope (attack 12)', request, withClaims({ scope: 'command:receive:all' }), 'auth.scope_insufficient'],
  ])('%s', (_name, asked, given, code) => {
    expect(admit(route, asked, given)).toMatchObject({ decision: 'deny', code });
  });
});

it('asks in the order of ARCHITECTURE.md: the first failure speaks', () => {
  const worst = context(
    { feedAgeMs: 1e9, verifyToken: () => ({ ok: false, code: 'auth.token_expired', reason: 'expired' }) },
    { kind: 'device', value: A },
  );
  expect(admit(route, { ...request, certificate: undefined }, worst)).toMatchObject({
    code: 'tls.certificate_required',
  });
  expect(admit(route, request, worst)).toMatchObject({ code: 'denylist.device' });
  expect(admit(route, request, { ...worst, denylist: new Denylist() })).toMatchObject({ code: 'revocation.stale' });
  expect(admit(route, request, { ...worst, denylist: new Denylist(), feedAgeMs: 0 })).toMatchObject({
    code: 'auth.token_expired',
  });
});

test.each([
  [0, false, true],
  [5000, true, true],
  [5001, true, false],
  [5001, false, true],
  [60_000, false, true],
  [60_001, false, false],
  [Number.NaN, false, false],
])('at an age of %p ms a route with control %p goes on: %p', (feedAgeMs, control, goes) => {
  const { decision } = admit({ ...route, control }, request, context({ feedAgeMs }));
  expect(decision).toBe(goes ? 'allow' : 'deny');
});

it('leaves recovery mode exactly the routes marked so', () => {
  const given = context({ denylist: listOf('recovery', { kind: 'device', value: A }) });
  expect(admit({ ...route, recovery: true }, request, given)).toMatchObject({ decision: 'allow', recovery: true });
  expect(admit(route, request, given)).toMatchObject({ decision: 'deny', code: 'denylist.device' });
  const denied = context({ denylist: listOf('deny', { kind: 'device', value: A }) });
  expect(admit({ ...route, recovery: true }, request, denied)).toMatchObject({ decision: 'deny' });
});

it('asks no token where the route wants a certificate, and nothing where it admits anyone', () => {
  const bare = { certificate: undefined, remoteAddress: '192.0.2.1', bearer: undefined };
  const refuses = context({ verifyToken: () => ({ ok: false, code: 'auth.token_invalid', reason: '' }) });
  expect(admit({ ...route, require: 'certificate' }, request, refuses)).toMatchObject({
    decision: 'allow',
    deviceId: A,
  });
  expect(admit({ ...route, require: 'anyone' }, bare, refuses)).toMatchObject({ decision: 'allow' });
  expect(admit({ ...route, require: 'certificate' }, bare, refuses)).toMatchObject({ decision: 'deny' });
});

describe('an operator', () => {
  const operatorClaims = {
    ...claims,
    sub: 'op:00000000-0000-4000-8000-000000000000',
    aud: 'urn:outrider:operator' as const,
    scope: 'device:read',
    roles: ['admin'],
    acr: ACR.service,
    amr: ['pop'],
    auth_time: NOW / 1000 - 60,
    jti: JwtId.parse('j2'),
  };
  const ok = () => ({ ok: true as const, claims: operatorClaims });
  const asked = { scope: 'device:read', bearer: 'token', remoteAddress: '192.0.2.1' };
  const ask = (more: object = {}, denylist = new Denylist()) =>
    admitOperator({ ...asked, ...more }, { denylist, verifyToken: ok, nowMs: NOW });

  it('needs a token with the scope that nobody withdrew', () => {
    expect(ask()).toMatchObject({ decision: 'allow' });
    expect(ask({ bearer: undefined })).toMatchObject({ code: 'auth.token_missing' });
    expect(ask({ scope: 'device:write' })).toMatchObject({ code: 'auth.scope_insufficient' });
    expect(ask({}, listOf('deny', { kind: 'token', value: 'j2' }))).toMatchObject({ code: 'denylist.token' });
    expect(ask({}, listOf('deny', { kind: 'network', value: '192.0.2.1' }))).toMatchObject({
      code: 'denylist.network',
    });
  });

  it.each([
    [{ acr: ACR.service }, 'ok'],
    [{ maxAgeSeconds: 60 }, 'ok'],
    [{ maxAgeSeconds: 59 }, 'auth.step_up_required'],
    [{ acr: ACR.mfa, maxAgeSeconds: 300 }, 'auth.step_up_required'],
  ])('has signed in as the route asks: %j, %s', (stepUp, code) => {
    const decision = ask({ stepUp });
    expect(decision.decision === 'deny' ? decision.code : 'ok').toBe(code);
    expect(ask({ stepUp, scope: 'device:write' })).toMatchObject({ code: 'auth.scope_insufficient' });
  });
});

test.each([
  ['auth.token_missing', 'Bearer realm="outrider", scope="a b"'],
  ['auth.token_binding_mismatch', /^Bearer realm="outrider", error="invalid_token", error_description="[^"\\]+"$/],
  ['auth.scope_insufficient', 'Bearer realm="outrider", error="insufficient_scope", scope="a b"'],
] as const)('challenges for %s', (code, header) => {
  expect(challenge(code, ['a', 'b'])).toEqual(typeof header === 'string' ? header : expect.stringMatching(header));
});

it('says which sign-in is asked for', () => {
  expect(challenge('auth.step_up_required', ['a'], { acr: ACR.mfa, maxAgeSeconds: 300 })).toBe(
    'Bearer realm="outrider", error="insufficient_user_authentication", ' +
      'error_description="This needs a stronger or a fresher sign-in.", acr_values="urn:outrider:acr:mfa", max_age="300"',
  );
});

it('does not challenge what no token cures', () => {
  expect(challenge('denylist.device')).toBeUndefined();
  expect(challenge('revocation.stale')).toBeUndefined();
});

test.each([
  ['Bearer abc.def-_~+/==', 'abc.def-_~+/=='],
  ['bearer abc', 'abc'],
  ['Basic abc', undefined],
  ['Bearer', undefined],
  ['Bearer a b', undefined],
  ['Bearer a,b', undefined],
  [undefined, undefined],
])('reads the token of %p as %p', (header, token) => expect(bearerToken(header)).toBe(token));

it('compares with a heartbeat by the set, and lets being ahead prove nothing', () => {
  const held = { sequence: 5, count: 1, digest: 'a' };
  expect(compareToHeartbeat(held, { ...held, sequence: 9 })).toBe('same');
  expect(compareToHeartbeat(held, { sequence: 4, count: 0, digest: 'b' })).toBe('ahead');
  expect(compareToHeartbeat(held, { sequence: 5, count: 1, digest: 'b' })).toBe('mismatch');
  expect(compareToHeartbeat(held, { sequence: 6, count: 2, digest: 'b' })).toBe('mismatch');
  expect(freshness(1)).toBe('fresh');
});
