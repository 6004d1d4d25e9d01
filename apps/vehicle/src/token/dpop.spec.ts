import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { asksForNonce, learn, proofInput, UNKNOWN } from './dpop.js';

const NOW = 1_763_900_000_000;
const parts = {
  method: 'POST',
  url: 'https://a:1/v1/x?y=1#z',
  accessToken: undefined,
  server: UNKNOWN,
  jti: 'j',
  nowMs: NOW,
};
const read = (input: string) => input.split('.').map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
const answer = { status: 401, body: '{"code":"auth.dpop_nonce"}', dpopNonce: 'n', date: undefined };

describe('a proof', () => {
  it.each([
    ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey],
    ['EdDSA', generateKeyPairSync('ed25519').publicKey],
  ])('of %s says what RFC 9449 §4.2 asks for', (alg, key) => {
    const [header, claims] = read(proofInput(key, parts));
    expect(header).toEqual({ typ: 'dpop+jwt', alg, jwk: key.export({ format: 'jwk' }) });
    expect(claims).toEqual({ jti: 'j', htm: 'POST', htu: 'https://a:1/v1/x', iat: NOW / 1000 });
  });

  it('names its access token and the nonce, and is dated by the clock of who gave that', () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const server = { nonce: 'n', aheadMs: 3_600_000 };
    const [, claims] = read(proofInput(publicKey, { ...parts, accessToken: 't', server }));
    const ath = createHash('sha256').update('t').digest('base64url');
    expect(claims).toMatchObject({ ath, nonce: 'n', iat: NOW / 1000 + 3600 });
  });
});

test('a wrong clock is healed by the time that comes with a nonce', () => {
  const lost = Date.parse('1970-01-01T00:00:00Z');
  const learnt = learn(UNKNOWN, { ...answer, date: 'Sun, 23 Nov 2025 12:13:20 GMT' }, lost);
  expect(learnt).toEqual({ nonce: 'n', aheadMs: Date.parse('2025-11-23T12:13:20Z') });
  expect(learn(learnt, { ...answer, dpopNonce: undefined }, lost)).toBe(learnt);
  expect(learn(learnt, { ...answer, dpopNonce: 'm', date: 'soon' }, lost)).toEqual({ ...learnt, nonce: 'm' });
});

test.each([
  [{}, true],
  [{ status: 400, body: '{"error":"use_dpop_nonce"}' }, true],
  [{ status: 403 }, false],
  [{ dpopNonce: undefined }, false],
  [{ body: '{"code":"auth.dpop_invalid"}' }, false],
])('an answer with %j asks for its nonce: %p', (changed, asks) => {
  expect(asksForNonce({ ...answer, ...changed })).toBe(asks);
});
