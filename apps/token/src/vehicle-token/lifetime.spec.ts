import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { decideLifetime, LIFETIMES, parseLifetime } from './lifetime.js';

const NOW = 1_763_900_000_500;
const IAT = 1_763_900_000;
const FAR = NOW + 86_400_000;

test.each<['telemetry' | 'control', number | undefined, number]>([
  ['telemetry', undefined, 120],
  ['telemetry', 0, 30],
  ['telemetry', 30, 30],
  ['telemetry', 31, 31],
  ['telemetry', 300, 300],
  ['telemetry', 86_400, 300],
  ['control', undefined, 30],
  ['control', 1, 10],
  ['control', 60, 60],
  ['control', 86_400, 60],
])('%s asked for %s lives %d s', (family, requested, seconds) => {
  expect(decideLifetime(family, requested, { nowMs: NOW, notAfterMs: FAR })).toEqual({ iat: IAT, exp: IAT + seconds });
});

describe('never past the certificate', () => {
  it('ends with it', () => {
    expect(decideLifetime('telemetry', 300, { nowMs: NOW, notAfterMs: NOW + 5_900 }).exp).toBe(IAT + 6);
  });
  it('is refused in its last second', () => {
    const last = { nowMs: NOW, notAfterMs: NOW + 400 };
    expect(() => decideLifetime('telemetry', undefined, last)).toThrow(
      expect.objectContaining({ code: 'tls.certificate_expired' }) as never,
    );
  });
  it('holds for any request', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('telemetry' as const, 'control' as const),
        fc.option(fc.nat(1e9), { nil: undefined }),
        fc.integer({ min: 1001, max: 1e6 }),
        (family, asked, left) => {
          const { iat, exp } = decideLifetime(family, asked, { nowMs: NOW, notAfterMs: NOW + left });
          expect(exp * 1000).toBeLessThanOrEqual(NOW + left);
          expect(exp - iat).toBeLessThanOrEqual(LIFETIMES[family].maxSeconds);
          expect(exp).toBeGreaterThan(iat);
        },
      ),
    );
  });
});

test.each(['-1', '1.5', '1e3', '', ' 60', '0x10', '9999999999', 'NaN'])('%p is no lifetime', (text) => {
  expect(() => parseLifetime(text)).toThrow(expect.objectContaining({ code: 'token.invalid_request' }) as never);
});

test('a lifetime is a number of seconds, or absent', () => {
  expect([parseLifetime('60'), parseLifetime(undefined)]).toEqual([60, undefined]);
});
