import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { nextIdentityStep, renewAt } from './renewal.js';

const life = { receivedAt: 1_000_000, notAfter: 1_900_000 };

test.each([
  ['without a certificate', undefined, 1_000_000, 'enrol'],
  ['with a fresh one', life, 1_000_000, 'keep'],
  ['just before two thirds', life, 1_599_999, 'keep'],
  ['at two thirds', life, 1_600_000, 'renew'],
  ['a moment before the end', life, 1_899_999, 'renew'],
  ['at the end', life, 1_900_000, 'enrol'],
  ['long after', life, 9_000_000, 'enrol'],
  ['with one that was over when it came', { receivedAt: 5, notAfter: 3 }, 4, 'enrol'],
])('%s', (_name, certificate, now, step) => {
  expect(nextIdentityStep(certificate, 0.5, now)).toBe(step);
});

describe('the renewal time', () => {
  it('lies within a twentieth of the life around two thirds, and well before the end', () => {
    const jitter = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(jitter, fc.integer({ min: 60_000, max: 3e9 }), (random, length) => {
        const at = renewAt({ receivedAt: 0, notAfter: length }, random);
        expect(at).toBeGreaterThanOrEqual(length * 0.616);
        expect(at).toBeLessThanOrEqual(length * 0.717);
      }),
    );
  });

  it('differs between vehicles that were enrolled together', () => {
    expect(renewAt(life, 0.1)).not.toBe(renewAt(life, 0.9));
  });
});
