import { describe, expect, it, test } from '@jest/globals';
import type { CommandState } from '@outrider/contracts';
import { CommandId, DeviceId } from '@outrider/ids';
import fc from 'fast-check';
import { type Command, cancel, challenge, deny, elapse, offer, release, resolve, type Transition } from './command.js';

const T0 = new Date('2026-03-01T12:00:00Z');
const at = (seconds: number) => new Date(T0.getTime() + seconds * 1000);
const base: Command = {
  id: CommandId.parse('0b9ec7a2-3c41-4a8e-9a55-0c4e7b9d2f10'),
  deviceId: DeviceId.parse('device-12345'),
  name: 'honk',
  parameters: {},
  critical: false,
  state: 'queued',
  requestedBy: 'op:1',
  requestedAs: null,
  createdAt: T0,
  expiresAt: at(60),
  notBefore: null,
  batchId: null,
  timeoutSeconds: 30,
  nonce: null,
  jws: null,
  releasedAt: null,
  resolvedAt: null,
  reason: null,
};
const basis = { policies: ['dispatch-by-operators'], version: 3 };
const critical: Command = { ...base, name: 'unlock', critical: true };
const released = release(base, 'a.b.c', basis, at(1)).command;

test('a plain command goes from queued to released to succeeded', () => {
  expect(released).toMatchObject({ state: 'released', jws: 'a.b.c', releasedAt: at(1) });
  expect(resolve(released, 'succeeded', undefined, at(2)).command).toMatchObject({
    state: 'succeeded',
    resolvedAt: at(2),
    reason: null,
  });
});

test('a release keeps the policies that allowed it, and one that they deny is cancelled by them', () => {
  expect(release(base, 'a.b.c', basis, at(1))).toMatchObject({ basis });
  const forbid = { policies: ['no-remote-control-while-moving'], version: 3 };
  expect(deny(base, forbid, at(1))).toMatchObject({
    command: { state: 'cancelled', reason: 'policy: no-remote-control-while-moving', jws: null },
    basis: forbid,
  });
  expect(deny(base, { policies: [], version: 3 }, at(1)).command.reason).toBe('policy: no policy permits it');
  expect(() => deny(released, forbid, at(2))).toThrow('command.state_conflict');
});

describe('a critical command', () => {
  it('is not released without a nonce', () => {
    expect(() => release(critical, 'a.b.c', basis, at(1))).toThrow('command.state_conflict');
  });

  it('is offered, challenged, released once; the same nonce changes nothing, another is refused', () => {
    const offered = offer(critical, at(1))!.command;
    expect(offer(offered, at(2))).toBeUndefined();
    const challenged = challenge(offered, 'n1', at(3))!.command;
    const out = release(challenged, 'a.b.c', basis, at(3)).command;
    expect(out).toMatchObject({ state: 'released', nonce: 'n1' });
    expect(challenge(out, 'n1', at(4))).toBeUndefined();
    expect(() => challenge(out, 'n2', at(4))).toThrow('command.nonce_refused');
    expect(() => challenge(out, 'n1', at(60))).toThrow('command.expired');
  });

  it('takes no nonce after it is over', () => {
    expect(() => challenge({ ...critical, state: 'cancelled' }, 'n1', at(1))).toThrow('command.state_conflict');
    expect(() => challenge(critical, 'n1', at(60))).toThrow('command.expired');
    expect(() => challenge(base, 'n1', at(1))).toThrow('command.nonce_refused');
  });
});

describe('time', () => {
  it.each<[string, Command, number, CommandState | undefined]>([
    ['a queued one before its expiry', base, 59.9, undefined],
    ['a queued one at its expiry', base, 60, 'expired'],
    ['a released one within its timeout', released, 30.9, undefined],
    ['a released one after its timeout', released, 31, 'unknown'],
    ['one that succeeded', { ...released, state: 'succeeded' }, 9999, undefined],
  ])('%s', (_name, command, seconds, state) => {
    expect(elapse(command, at(seconds))?.command.state).toBe(state);
  });

  it('a late outcome resolves unknown, and says so; a second one does not', () => {
    const unknown = elapse(released, at(31))!.command;
    const late = resolve(unknown, 'succeeded', 'honked', at(90));
    expect(late).toMatchObject({ reason: 'late: honked', command: { state: 'succeeded' } });
    expect(() => resolve(late.command, 'failed', undefined, at(91))).toThrow('command.state_conflict');
    const uncertain = resolve(released, 'unknown', undefined, at(2)).command;
    expect(() => resolve(uncertain, 'succeeded', undefined, at(3))).toThrow('command.state_conflict');
  });
});

it('is not cancelled once it may have happened', () => {
  expect(cancel(base, 'changed my mind', at(1)).command.state).toBe('cancelled');
  expect(() => cancel(released, 'too late', at(2))).toThrow('command.state_conflict');
});

it('whatever happens in whatever order: released at most once, and nothing leaves a final state but a late outcome', () => {
  const step = fc.constantFrom('offer', 'n1', 'n2', 'release', 'succeed', 'fail', 'uncertain', 'cancel', 'elapse');
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { maxLength: 30 }), (isCritical, steps) => {
      let command: Command = { ...base, critical: isCritical };
      const jws = new Set<string>();
      steps.forEach((name, index) => {
        const now = at(index * 7);
        const before = command;
        const transition = attempt(() => apply(name, command, now, `jws-${index}`));
        if (transition) command = transition.command;
        if (command.jws) jws.add(command.jws);
        const final = ['succeeded', 'failed', 'refused', 'expired', 'cancelled'].includes(before.state);
        if (final) expect(command.state).toBe(before.state);
      });
      expect(jws.size).toBeLessThanOrEqual(1);
      if (isCritical && command.jws) expect(command.nonce).not.toBeNull();
    }),
  );
});

function apply(name: string, command: Command, now: Date, jws: string): Transition | undefined {
  if (name === 'offer') return offer(command, now);
  if (name === 'n1' || name === 'n2') return challenge(command, name, now);
  if (name === 'release') return release(command, jws, basis, now);
  if (name === 'succeed') return resolve(command, 'succeeded', undefined, now);
  if (name === 'fail') return resolve(command, 'failed', 'no', now);
  if (name === 'uncertain') return resolve(command, 'unknown', undefined, now);
  if (name === 'cancel') return cancel(command, 'x', now);
  return elapse(command, now);
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
