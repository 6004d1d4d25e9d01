import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { nextIdentityStep, renewAt } from './renewal.js';

const life = { receivedAt: 1_000_000, notAfter: 1_900_000 };
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test.each([
  ['without a certificate', undefined, 1_000_000, 'enrol'],
  ['with a fresh one', life, 1_000_000, 'keep'],
  ['just before its time', life, 1_599_999, 'keep'],
  ['at its time', life, 1_600_000, 'renew'],
  ['a moment before the end', life, 1_899_999, 'renew'],
  ['at the end', life, 1_900_000, 'enrol'],
  ['long after', life, 9_000_000, 'enrol'],
  ['with one that was over when it came', { receivedAt: 5, notAfter: 3 }, 4, 'enrol'],
])('%s', (_name, certificate, now, step) => {
  expect(nextIdentityStep(certificate, 1_600_000, now)).toBe(step);
});

describe('the renewal time without a window', () => {
  it('lies within a twentieth of the life around two thirds, and well before the end', () => {
    expect(renewAt(life, 0.5)).toBe(1_600_000);
    fc.assert(
      fc.property(place, fc.integer({ min: 60_000, max: 3e9 }), (drawn, length) => {
        const at = renewAt({ receivedAt: 0, notAfter: length }, drawn);
        expect(at).toBeGreaterThanOrEqual(length * 0.616);
        expect(at).toBeLessThanOrEqual(length * 0.717);
      }),
    );
  });

  it('differs between vehicles that were enrolled together', () => {
    expect(renewAt(life, 0.1)).not.toBe(renewAt(life, 0.9));
  });
});

describe('the renewal time in a window', () => {
  const window = { start: 1_200_000, end: 1_400_000 };
  test.each([
    ['its beginning', window, 0, 1_200_000],
    ['its middle', window, 0.5, 1_300_000],
    ['a past one: now', { start: 1_100_000, end: 1_100_001 }, 0.5, 1_100_000.5],
    ['one before the certificate came: a moment after that', { start: 0, end: 1 }, 0.5, 1_009_000],
    [
      'one that ends with the certificate: while it can still be used',
      { start: 1_899_000, end: 1_900_000 },
      1,
      1_855_000,
    ],
    ['one after the end', { start: 5e9, end: 6e9 }, 0, 1_855_000],
  ])('%s', (_name, given, drawn, at) => expect(renewAt(life, drawn, given)).toBe(at));

  it('is never so late that the certificate is over, nor so early that there is no end to it', () => {
    const instant = fc.integer({ min: 0, max: 1e13 });
    fc.assert(
      fc.property(place, instant, instant, fc.integer({ min: 60_000, max: 3e9 }), (drawn, start, length, notAfter) => {
        const at = renewAt({ receivedAt: 0, notAfter }, drawn, { start, end: start + length + 1 });
        expect(at).toBeLessThan(notAfter);
        expect(at).toBeGreaterThanOrEqual(600);
      }),
    );
  });
});
