import { expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { type AgingKey, dueSteps, type RotationPolicy } from './rotate-keys.js';
import type { SigningKeyState } from './signing-key.js';

const policy: RotationPolicy = { signSeconds: 86_400, publishSeconds: 600, retireSeconds: 1200 };
const T0 = Date.parse('2026-11-22T00:00:00Z');
const key = (kid: string, state: SigningKeyState, ageSeconds: number): AgingKey => ({
  kid,
  state,
  since: new Date(T0 - ageSeconds * 1000),
});

test.each<[string, AgingKey[], ReturnType<typeof dueSteps>]>([
  ['a young key signs on', [key('a', 'sign', 60)], []],
  ['a successor is published one waiting time before it is needed', [key('a', 'sign', 85_800)], [{ kind: 'publish' }]],
  ['and not a second earlier', [key('a', 'sign', 85_799)], []],
  ['the successor waits', [key('a', 'sign', 86_399), key('b', 'publish', 599)], []],
  [
    'then it signs, and the old one retires with it',
    [key('a', 'sign', 86_400), key('b', 'publish', 600)],
    [
      { kind: 'sign', kid: 'b' },
      { kind: 'retire', kid: 'a' },
    ],
  ],
  ['a retired key is published until its last token has ended', [key('b', 'sign', 1), key('a', 'retire', 1199)], []],
  ['then it goes', [key('b', 'sign', 1), key('a', 'retire', 1200)], [{ kind: 'remove', kid: 'a' }]],
  ['a set without a signing key gets a successor', [key('a', 'retire', 5)], [{ kind: 'publish' }]],
  [
    'a clock set back makes nothing due',
    [key('b', 'sign', -9e6), key('c', 'publish', -5), key('a', 'retire', -9e6)],
    [],
  ],
  [
    'after a long rest the older of two successors signs first',
    [key('a', 'sign', 9e6), key('c', 'publish', 700), key('b', 'publish', 900)],
    [
      { kind: 'sign', kid: 'b' },
      { kind: 'retire', kid: 'a' },
    ],
  ],
])('%s', (_name, keys, expected) => {
  expect(dueSteps(keys, policy, new Date(T0))).toEqual(expected);
});

/** Lives through a rotation as the database would, with rounds at any intervals; returns each key's time of publication, use and removal. */
function live(intervalsSeconds: readonly number[]) {
  let keys: AgingKey[] = [{ kid: 'k0', state: 'sign', since: new Date(T0) }];
  let made = 1;
  let nowMs = T0;
  const log: { kid: string; step: string; atMs: number }[] = [{ kid: 'k0', step: 'sign', atMs: T0 }];
  for (const interval of intervalsSeconds) {
    nowMs += interval * 1000;
    const since = new Date(nowMs);
    for (const step of dueSteps(keys, policy, since)) {
      const kid = step.kind === 'publish' ? `k${made++}` : step.kid;
      log.push({ kid, step: step.kind, atMs: nowMs });
      keys = keys.filter((one) => one.kid !== kid);
      if (step.kind !== 'remove') keys.push({ kid, state: step.kind, since });
    }
    expect(keys.filter(({ state }) => state === 'sign')).toHaveLength(1);
    expect(keys.length).toBeLessThanOrEqual(4);
  }
  return log;
}

it('whenever it is asked: one key signs, published long enough before, and gone only long enough after', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 100 }), (intervals) => {
      const log = live(intervals);
      const at = (kid: string, step: string) => log.find((one) => one.kid === kid && one.step === step)?.atMs;
      for (const { kid } of log.filter(({ step }) => step === 'publish')) {
        const signedAt = at(kid, 'sign');
        if (signedAt !== undefined) expect(signedAt - (at(kid, 'publish') ?? 0)).toBeGreaterThanOrEqual(600_000);
        const removedAt = at(kid, 'remove');
        if (removedAt !== undefined) expect(removedAt - (at(kid, 'retire') ?? 0)).toBeGreaterThanOrEqual(1_200_000);
      }
    }),
  );
});
