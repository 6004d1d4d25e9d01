import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { afterFailure, type Failures, networkOf, THROTTLES, waitMs } from './throttle.js';

const NOW = 1_700_000_000_000;
const POLICY = THROTTLES.name;

test.each<[string, Failures | undefined, number, number]>([
  ['nothing failed', undefined, 0, 0],
  ['four failures', { count: 4, failedAtMs: NOW }, 0, 0],
  ['five failures', { count: 5, failedAtMs: NOW }, 0, 1000],
  ['five failures, a second ago', { count: 5, failedAtMs: NOW }, 1000, 0],
  ['six failures', { count: 6, failedAtMs: NOW }, 0, 2000],
  ['ten failures', { count: 10, failedAtMs: NOW }, 0, 32_000],
  ['very many failures', { count: 2_000_000_000, failedAtMs: NOW }, 0, 900_000],
  ['very many failures, an hour ago', { count: 2_000_000_000, failedAtMs: NOW }, 3_600_000, 0],
])('%s', (_name, failures, laterMs, expected) => {
  expect(waitMs(failures, POLICY, NOW + laterMs)).toBe(expected);
});

it('forgets after an hour without a failure', () => {
  expect(afterFailure({ count: 100, failedAtMs: NOW }, POLICY, NOW + 3_600_000).count).toBe(1);
  expect(afterFailure({ count: 100, failedAtMs: NOW }, POLICY, NOW + 3_599_999).count).toBe(101);
});

it('never waits longer than its bound, nor shorter for one failure more', () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(THROTTLES)), fc.nat(1000), (policy, count) => {
      const wait = waitMs({ count, failedAtMs: NOW }, policy, NOW);
      expect(wait).toBeLessThanOrEqual(policy.maxWaitSeconds * 1000);
      expect(waitMs({ count: count + 1, failedAtMs: NOW }, policy, NOW)).toBeGreaterThanOrEqual(wait);
    }),
  );
});

describe('a network', () => {
  test.each([
    ['192.0.2.7', '::ffff:192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::1'],
    ['fe80::1%eth0', 'fe80::2%eth1'],
    ['unknown', 'no address'],
  ])('is that of %s and of %s', (one, two) => expect(networkOf(one)).toBe(networkOf(two)));
  test.each([
    ['192.0.2.7', '192.0.2.8'],
    ['2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['0.0.0.1', '::1'],
  ])('is not the same for %s and %s', (one, two) => expect(networkOf(one)).not.toBe(networkOf(two)));
});
