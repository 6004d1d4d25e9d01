import { describe, expect, it, test } from '@jest/globals';
import { DeviceState } from '@outrider/contracts';
import fc from 'fast-check';
import { type LifecycleEvent, transition } from './lifecycle.js';

const enrolled: LifecycleEvent = { kind: 'enrolled' };
const blocked: LifecycleEvent = { kind: 'blocked' };
const unblocked: LifecycleEvent = { kind: 'unblocked', everEnrolled: true };
const unblockedNew: LifecycleEvent = { kind: 'unblocked', everEnrolled: false };
const compromised: LifecycleEvent = { kind: 'revoked', reason: 'keyCompromise' };
const held: LifecycleEvent = { kind: 'revoked', reason: 'certificateHold' };
const retired: LifecycleEvent = { kind: 'retired' };

describe('the lifecycle of a device', () => {
  test.each<[DeviceState, string, LifecycleEvent, DeviceState | undefined]>([
    ['registered', 'enrolled', enrolled, 'active'],
    ['active', 'enrolled again', enrolled, 'active'],
    ['quarantined', 'enrolled', enrolled, undefined],
    ['awaiting_recovery', 'enrolled', enrolled, undefined],
    ['retired', 'enrolled', enrolled, undefined],
    ['registered', 'blocked', blocked, 'quarantined'],
    ['active', 'blocked', blocked, 'quarantined'],
    ['awaiting_recovery', 'blocked', blocked, 'awaiting_recovery'],
    ['quarantined', 'unblocked', unblocked, 'active'],
    ['quarantined', 'unblocked before it ever enrolled', unblockedNew, 'registered'],
    ['active', 'unblocked', unblocked, 'active'],
    ['awaiting_recovery', 'unblocked', unblocked, 'awaiting_recovery'],
    ['registered', 'revoked', compromised, 'awaiting_recovery'],
    ['active', 'revoked', compromised, 'awaiting_recovery'],
    ['quarantined', 'revoked', compromised, 'awaiting_recovery'],
    ['active', 'held', held, 'quarantined'],
    ['awaiting_recovery', 'held', held, 'awaiting_recovery'],
    ['active', 'retired', retired, 'retired'],
    ['awaiting_recovery', 'retired', retired, 'retired'],
    ['retired', 'unblocked', unblocked, 'retired'],
  ])('%s, %s', (state, _what, event, expected) => {
    expect(transition(state, event)).toBe(expected);
  });

  const events = [enrolled, blocked, unblocked, unblockedNew, compromised, held, retired];
  const walk = (from: DeviceState, path: readonly LifecycleEvent[]) =>
    path.reduce<DeviceState>((state, event) => transition(state, event) ?? state, from);

  it('never leads out of retired', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(...events)), (path) => walk('retired', path) === 'retired'));
  });

  it('leads out of awaiting_recovery to retired alone', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events)), (path) =>
        ['awaiting_recovery', 'retired'].includes(walk('awaiting_recovery', path)),
      ),
    );
  });

  it('knows every state', () => {
    for (const state of DeviceState.options)
      for (const event of events) expect(() => transition(state, event)).not.toThrow();
  });
});
