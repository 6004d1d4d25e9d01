import { describe, expect, it, test } from '@jest/globals';
import { DeviceId, JwtId, Thumbprint } from '@outrider/ids';
import { DeviceClaims } from './access-token.js';
import { type AdmissionContext, type AdmissionRequest, admit } from './admit.js';
import { Denylist } from './denylist.js';
import { dpopChallenge, presentedToken } from './dpop-challenge.js';
import type { DpopProof, ProofVerdict } from './dpop-proof.js';

const A = DeviceId.parse('device-a');
const THUMBPRINT = Thumbprint.parse('A'.repeat(43));
const JKT = 'J'.repeat(43);
const NOW = Date.parse('2026-06-01T00:00:00Z');
const certificate = {
  authorized: true,
  thumbprint: THUMBPRINT,
  serial: 'aa-01',
  keyThumbprint: 'K1',
  deviceId: A,
  notBefore: new Date(NOW - 1000),
  notAfter: new Date(NOW + 1000),
};
const request: AdmissionRequest = { certificate, remoteAddress: '192.0.2.1', bearer: 'token' };
const overDpop: AdmissionRequest = { ...request, scheme: 'DPoP' };
const proof: DpopProof = { jkt: JKT, keyThumbprint: 'K2', replayKey: 'r', untilSeconds: 0, nonceCurrent: true };
const good: ProofVerdict = { ok: true, proof };
const route = { require: 'token', scopes: ['command:receive'], control: true, recovery: false } as const;

function decide(asked: AdmissionRequest, cnf: DeviceClaims['cnf'], more: Partial<AdmissionContext> = {}): string {
  const claims = DeviceClaims.parse({
    iss: 'https://127.0.0.1:8442',
    sub: A,
    client_id: A,
    aud: 'urn:outrider:command',
    iat: 0,
    nbf: 0,
    exp: NOW / 1000,
    jti: JwtId.parse('6f2b3f0e-6a0e-4a3e-9d7e-0a8f0f6a8f11'),
    scope: 'command:receive',
    cnf,
  });
  const decision = admit(route, asked, {
    denylist: new Denylist(),
    feedAgeMs: 0,
    freshnessLimits: { controlStaleMs: 5000, staleMs: 60_000 },
    verifyToken: () => ({ ok: true, claims }),
    verifyProof: () => good,
    nowMs: NOW,
    ...more,
  });
  if (decision.decision === 'deny') return decision.code;
  return decision.proof ? `used up: ${decision.proof.replayKey}` : 'ok';
}

const toCertificate = { 'x5t#S256': THUMBPRINT };
const toBoth = { ...toCertificate, jkt: JKT };
const other = Thumbprint.parse(`${'B'.repeat(42)}A`);
const otherCertificate = { ...certificate, thumbprint: other, deviceId: DeviceId.parse('device-b') };
const denied = (kind: 'key' | 'certificate', value: string) => {
  const denylist = new Denylist();
  denylist.apply({ kind, value, mode: 'deny', reason: 'test', sequence: 1 });
  return { denylist };
};

describe('all that a token is bound to must be shown', () => {
  test.each<[string, AdmissionRequest, DeviceClaims['cnf'], Partial<AdmissionContext>, string]>([
    ['the certificate', request, toCertificate, {}, 'ok'],
    ['the certificate and the key', overDpop, toBoth, {}, 'used up: r'],
    ['both through a proxy', { ...overDpop, forwarded: true }, toBoth, {}, 'used up: r'],
    [
      'the key without the certificate',
      { ...overDpop, certificate: otherCertificate },
      toBoth,
      {},
      'auth.token_binding_mismatch',
    ],
    [
      'a stolen one through a proxy',
      { ...overDpop, forwarded: true, certificate: otherCertificate },
      toBoth,
      {},
      'auth.token_binding_mismatch',
    ],
    ['the certificate without the key', request, toBoth, {}, 'auth.dpop_required'],
    ['a bearer token of a key', { ...request, scheme: 'Bearer' }, toBoth, {}, 'auth.dpop_required'],
    ['the DPoP scheme, bound to no key', overDpop, toCertificate, {}, 'auth.token_binding_mismatch'],
    ['another key', overDpop, { ...toCertificate, jkt: 'O'.repeat(43) }, {}, 'auth.token_binding_mismatch'],
    [
      'control through a proxy, bound to no key',
      { ...request, forwarded: true },
      toCertificate,
      {},
      'auth.dpop_required',
    ],
    ['a key where none is taken', overDpop, toBoth, { verifyProof: undefined }, 'auth.dpop_invalid'],
    [
      'a bad proof',
      overDpop,
      toBoth,
      { verifyProof: () => ({ ok: false, code: 'auth.dpop_invalid', reason: '' }) },
      'auth.dpop_invalid',
    ],
    [
      'an old nonce',
      overDpop,
      toBoth,
      { verifyProof: () => ({ ok: false, code: 'auth.dpop_nonce', reason: '' }) },
      'auth.dpop_nonce',
    ],
    ['a key out of service', overDpop, toBoth, denied('key', 'K2'), 'denylist.key'],
    [
      'the certificate that it came from out of service',
      overDpop,
      toBoth,
      denied('certificate', THUMBPRINT),
      'denylist.certificate',
    ],
  ])('%s', (_name, asked, cnf, more, said) => {
    expect(decide(asked, cnf, more)).toBe(said);
  });

  it('asks no proof for telemetry through a proxy, whose forwarded certificate stands for the connection', () => {
    const open = { ...route, control: false };
    const asked = { ...request, forwarded: true };
    expect(admitWith(open, asked)).toBe('allow');
    expect(admitWith(route, asked)).toBe('deny');
  });
});

function admitWith(which: Parameters<typeof admit>[0], asked: AdmissionRequest): string {
  const claims = { sub: A, scope: 'command:receive', cnf: toCertificate, jti: 'j' } as unknown as DeviceClaims;
  return admit(which, asked, {
    denylist: new Denylist(),
    feedAgeMs: 0,
    freshnessLimits: { controlStaleMs: 5000, staleMs: 60_000 },
    verifyToken: () => ({ ok: true, claims }),
    nowMs: NOW,
  }).decision;
}

test.each([
  [undefined, undefined],
  ['Bearer abc', { scheme: 'Bearer', token: 'abc' }],
  ['bEARER  abc=', { scheme: 'Bearer', token: 'abc=' }],
  ['DPoP a.b.c', { scheme: 'DPoP', token: 'a.b.c' }],
  ['dpop a.b.c', { scheme: 'DPoP', token: 'a.b.c' }],
  ['DPoP', undefined],
  ['DPoP a b', undefined],
  ['Basic abc', undefined],
  ['DPoPabc', undefined],
])('Authorization: %p is %p', (header, expected) => {
  expect(presentedToken(header)).toEqual(expected);
});

test.each([
  ['auth.dpop_nonce', 'error="use_dpop_nonce"'],
  ['auth.dpop_invalid', 'error="invalid_dpop_proof"'],
  ['auth.dpop_replayed', 'error="invalid_dpop_proof"'],
  ['auth.dpop_required', 'error="invalid_token"'],
  ['auth.token_expired', 'error="invalid_token"'],
  ['auth.token_missing', 'realm="outrider", scope="a b", algs='],
  ['auth.scope_insufficient', 'error="insufficient_scope", scope="a b"'],
] as const)('challenges for %s', (code, part) => {
  const header = dpopChallenge(code, ['a', 'b']);
  expect(header).toMatch(/^DPoP realm="outrider", .*algs="ES256 ES384 EdDSA"$/);
  expect(header).toContain(part);
});

it('challenges for nothing that no token cures', () => {
  expect(dpopChallenge('denylist.device')).toBeUndefined();
});
