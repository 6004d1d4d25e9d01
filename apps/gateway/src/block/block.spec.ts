import { describe, expect, it } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import { BY_TIME, block, expire, isWeaker, recover, unblock } from './block.js';

const now = new Date(0);
const act = { by: 'op:1', reason: 'stolen', now };
const target = { kind: 'device', value: DeviceId.parse('device-1') } as const;
const wish = { target, mode: 'deny', thumbprint: undefined, expiresAt: undefined } as const;

describe('block and unblock', () => {
  it('count up with each change of state, and say nothing of what stays as it is', () => {
    const first = block(undefined, wish, act);
    expect(first).toMatchObject({ blocked: true, mode: 'deny', reason: 'stolen', version: 1, deliveredVersion: 0 });
    expect(block(first, wish, { ...act, reason: 'again' })).toBeUndefined();
    expect(block(first, { ...wish, mode: 'recovery' }, act)).toMatchObject({ mode: 'recovery', version: 2 });
    expect(unblock(first, false, { ...act, reason: 'found' })).toMatchObject({
      blocked: false,
      reason: 'found',
      version: 2,
    });
  });

  it('come in the order of their commits, though a clock or a request was late', () => {
    const first = block(undefined, wish, { ...act, now: new Date(5000) });
    const second = unblock(first, false, { ...act, now: new Date(4000) });
    const third = block(second, wish, { ...act, now: new Date(5000) });
    expect([first, second, third].map((change) => change?.changedAt.getTime())).toEqual([5000, 5001, 5002]);
  });

  it('refuse to unblock what is not blocked, and what is compromised', () => {
    expect(() => unblock(undefined, false, act)).toThrow(expect.objectContaining({ code: 'gateway.not_blocked' }));
    const blocked = block(undefined, wish, act);
    const compromised = expect.objectContaining({ code: 'gateway.reprovision_required' });
    expect(() => unblock(blocked, true, act)).toThrow(compromised);
  });

  it('end with an order that knew of the block, and with no other', () => {
    const blocked = block(undefined, wish, { ...act, now: new Date(5000) });
    expect(recover(blocked, new Date(5000), { ...act, now: new Date(9000) })).toMatchObject({
      blocked: false,
      version: 2,
    });
    expect(recover(blocked, new Date(4999), act)).toBeUndefined();
    expect(recover(blocked, undefined, act)).toBeUndefined();
    expect(recover(undefined, new Date(5000), act)).toBeUndefined();
  });

  it('end by themselves when their time is over, and not before; whose key is known to others stay blocked', () => {
    const later = new Date(5000);
    const first = block(undefined, { ...wish, expiresAt: later }, { ...act, ticket: 'T-1' });
    expect(first).toMatchObject({ expiresAt: later, ticket: 'T-1' });
    expect(expire(first, false, new Date(4999))).toBeUndefined();
    expect(expire(first, false, later)).toMatchObject({
      blocked: false,
      changedBy: BY_TIME,
      expiresAt: undefined,
      ticket: 'T-1',
      version: 2,
    });
    expect(expire(first, true, later)).toMatchObject({
      blocked: true,
      reason: 'stolen',
      expiresAt: undefined,
      version: 2,
    });
    expect(expire(unblock(first, false, act), false, later)).toBeUndefined();
    expect(expire(undefined, false, later)).toBeUndefined();
  });

  it('weaken by a softer mode or an earlier end, and only what is blocked', () => {
    const soon = { ...wish, expiresAt: new Date(5000) };
    const lasting = block(undefined, wish, act);
    expect(isWeaker({ ...wish, mode: 'recovery' }, lasting)).toBe(true);
    expect(isWeaker(soon, lasting)).toBe(true);
    expect(isWeaker(soon, block(undefined, { ...wish, expiresAt: new Date(5001) }, act))).toBe(true);
    expect(isWeaker(wish, block(undefined, { ...soon, mode: 'recovery' }, act))).toBe(false);
    expect(isWeaker(soon, block(undefined, soon, act))).toBe(false);
    expect(isWeaker(soon, undefined)).toBe(false);
    expect(isWeaker(soon, unblock(lasting, false, act))).toBe(false);
  });

  it('are said anew to end at another time, or never', () => {
    const first = block(undefined, { ...wish, expiresAt: new Date(5000) }, act);
    expect(block(first, { ...wish, expiresAt: new Date(5000) }, act)).toBeUndefined();
    expect(block(first, { ...wish, expiresAt: new Date(6000) }, act)).toMatchObject({ version: 2 });
    expect(block(first, wish, act)).toMatchObject({ version: 2, expiresAt: undefined });
  });
});
