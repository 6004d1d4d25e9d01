import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { pollAfterSeconds, type RotationPlace, renewalWindow } from './renewal-window.js';

const policy = { windowStart: 0.5, windowEnd: 0.8 };
const issuedAt = new Date('2026-01-01T00:00:00Z');
const certificate = (name: string, lifeSeconds = 86_400) => ({
  deviceId: name,
  issuedAt,
  notAfter: new Date(issuedAt.getTime() + lifeSeconds * 1000),
});
const after = (date: Date) => (date.getTime() - issuedAt.getTime()) / 1000;

describe('the window of a certificate', () => {
  it('lies between the fractions of its life, a quarter of them wide, and stays where it is', () => {
    const { start, end } = renewalWindow(certificate('device-1'), policy, []);
    expect(after(start)).toBeGreaterThanOrEqual(43_200);
    expect(after(end)).toBeLessThanOrEqual(69_121);
    expect(Math.abs((end.getTime() - start.getTime()) / 1000 - 6480)).toBeLessThanOrEqual(1);
    expect(renewalWindow(certificate('device-1'), policy, [])).toEqual({ start, end });
  });

  it('is another for another device, and for the next certificate', () => {
    const mine = after(renewalWindow(certificate('device-1'), policy, []).start);
    expect(after(renewalWindow(certificate('device-2'), policy, []).start)).not.toBe(mine);
    const next = { ...certificate('device-1'), issuedAt: new Date(issuedAt.getTime() + 1000) };
    expect(after(renewalWindow(next, policy, []).start)).not.toBe(mine);
  });

  it('is spread so that of 10,000 devices made together no part of the time has more than its share', () => {
    const parts = new Array<number>(20).fill(0);
    for (let n = 0; n < 10_000; n += 1) {
      const begins = after(renewalWindow(certificate(`device-${n}`), policy, []).start) / 86_400;
      parts[Math.floor(((begins - 0.5) / (0.3 * 0.75)) * 20 * 0.99999)]! += 1;
    }
    // Chi-squared with 19 degrees of freedom: 43.8 is passed by chance once in a thousand.
    const chiSquared = parts.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
    expect(chiSquared).toBeLessThan(43.8);
  });

  it('lies in the certificate’s life whatever the policy and the rotations', () => {
    const rotation = fc.record({
      startedAt: fc.integer({ min: 0, max: 1e7 }).map((seconds) => new Date(issuedAt.getTime() + seconds * 1000)),
      withinSeconds: fc.integer({ min: 1, max: 1e6 }),
      waves: fc.integer({ min: 1, max: 1000 }),
      wave: fc.integer({ min: 0, max: 999 }),
    });
    const fractions = fc
      .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))
      .filter(([a, b]) => a !== b)
      .map(([a, b]) => ({ windowStart: Math.min(a, b), windowEnd: Math.max(a, b) }));
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.integer({ min: 60, max: 3e6 }),
        fractions,
        fc.array(rotation),
        (name, life, share, given) => {
          const rotations = given.map((one) => ({ ...one, wave: one.wave % one.waves }));
          const { start, end } = renewalWindow(certificate(name, life), share, rotations);
          expect(after(start)).toBeGreaterThanOrEqual(0);
          expect(end.getTime()).toBeGreaterThan(start.getTime());
          expect(after(end)).toBeLessThan(life);
        },
      ),
    );
  });
});

describe('a rotation', () => {
  const hour = (n: number) => new Date(issuedAt.getTime() + n * 3_600_000);
  const place = (parts: Partial<RotationPlace> = {}): RotationPlace => ({
    startedAt: hour(1),
    withinSeconds: 600,
    waves: 10,
    wave: 3,
    ...parts,
  });

  test.each([
    ['moves the window to the device’s wave', place(), 3600 + 180, 3600 + 240],
    ['of one wave is that wide', place({ waves: 1, wave: 0 }), 3600, 4200],
    [
      'ordered late does not put the renewal off',
      place({ startedAt: hour(23), withinSeconds: 7200 }),
      undefined,
      undefined,
    ],
  ])('%s', (_name, given, start, end) => {
    const without = renewalWindow(certificate('device-1'), policy, []);
    const found = renewalWindow(certificate('device-1'), policy, [given]);
    expect(after(found.start)).toBe(start ?? after(without.start));
    expect(after(found.end)).toBe(end ?? after(without.end));
  });

  it('that reaches beyond the certificate ends before it', () => {
    const late = { windowStart: 0.99, windowEnd: 1 };
    const { end } = renewalWindow(certificate('device-1'), late, [
      place({ waves: 1, wave: 0, withinSeconds: 200_000 }),
    ]);
    expect(after(end)).toBe(84_672);
  });

  it('beside another: the sooner counts', () => {
    const [soon, later] = [place(), place({ startedAt: hour(2) })];
    expect(renewalWindow(certificate('device-1'), policy, [later, soon])).toEqual(
      renewalWindow(certificate('device-1'), policy, [soon]),
    );
  });
});

test('vehicles are told to come back at different times', () => {
  expect([0, 0.5, 0.999].map((random) => pollAfterSeconds(60, random))).toEqual([48, 60, 72]);
  expect(pollAfterSeconds(1, 0)).toBe(1);
});
