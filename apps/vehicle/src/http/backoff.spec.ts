import { describe, expect, it, test } from '@jest/globals';
import { backoffMs, retryAfterSeconds } from './backoff.js';
import { NetworkFailure } from './network-failure.js';

describe('the wait before the next attempt', () => {
  test.each([
    [1, 0, 125],
    [1, 0.999, 250],
    [2, 0, 250],
    [5, 0, 2000],
    [8, 0, 15_000],
    [1000, 0, 15_000],
    [1000, 0.999, 29_985],
  ])('attempt %i with %p is %i ms', (attempt, random, expected) => {
    expect(backoffMs(attempt, random)).toBe(expected);
  });

  it('is never shorter than what the server asked for, and at most a quarter longer', () => {
    expect(backoffMs(1, 0, 10)).toBe(10_000);
    expect(backoffMs(1, 0.999, 10)).toBe(12_498);
  });
});

const NOW = Date.parse('2026-01-01T00:00:00Z');
test.each([
  [undefined, undefined],
  ['', undefined],
  ['3', 3],
  ['0', 0],
  ['-3', undefined],
  ['999999', 3600],
  ['soon', undefined],
  ['Thu, 01 Jan 2026 00:00:30 GMT', 30],
  ['Wed, 31 Dec 2025 00:00:30 GMT', 0],
])('Retry-After %p is %p', (header, seconds) => {
  expect(retryAfterSeconds(header, NOW)).toBe(seconds);
});

test.each([
  ['ECONNREFUSED', 'unreachable'],
  ['UND_ERR_CONNECT_TIMEOUT', 'timeout'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'untrusted'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'untrusted'],
  ['CERT_HAS_EXPIRED', 'untrusted'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls_refused'],
  ['ECONNRESET', 'cut'],
  ['UND_ERR_SOCKET', 'cut'],
])('%s means %s', (code, kind) => {
  expect(NetworkFailure.of(Object.assign(new Error('x'), { code }), false).kind).toBe(kind);
});
