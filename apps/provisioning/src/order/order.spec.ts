import { describe, expect, it } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import { decide, OrderBody, recovers, requestOrder, requireKnown, stateOf } from './order.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const later = (hours: number) => new Date(NOW.getTime() + hours * 3_600_000);
const body = { kind: 'recovery', reason: 'new key fitted' } as const;
const order = requestOrder(DeviceId.parse('device-1'), body, { orderId: 'o', who: 'op:a', now: NOW });
const by = (who: string, now = later(1)) => ({ who, reason: undefined, now });

describe('an order', () => {
  it('is decided by another operator', () => {
    expect(decide(order, 'approved', by('op:b'))).toMatchObject({
      state: 'approved',
      decidedBy: 'op:b',
      decidedAt: later(1),
    });
    for (const verdict of ['approved', 'rejected'] as const) {
      expect(() => decide(order, verdict, by('op:a'))).toThrow('provisioning.order_same_operator');
    }
  });

  it('is decided once', () => {
    for (const verdict of ['approved', 'rejected'] as const) {
      const decided = decide(order, verdict, by('op:b'));
      expect(() => decide(decided, 'approved', by('op:c'))).toThrow('provisioning.order_closed');
      expect(stateOf(decided, later(100))).toBe(verdict);
    }
  });

  it('is decided within a day', () => {
    expect(stateOf(order, later(23.9))).toBe('pending');
    expect(stateOf(order, later(24))).toBe('expired');
    expect(() => decide(order, 'approved', by('op:b', later(24)))).toThrow('provisioning.order_closed');
  });

  it('lifts nothing that came after it was asked for', () => {
    const device = { revokedAt: later(-2), blockChangedAt: later(-1) };
    expect(() => requireKnown(order, device)).not.toThrow();
    expect(() => requireKnown(order, { revokedAt: null, blockChangedAt: null })).not.toThrow();
    expect(() => requireKnown(order, { ...device, revokedAt: later(0.1) })).toThrow('provisioning.state_conflict');
    expect(() => requireKnown(order, { ...device, blockChangedAt: later(0.1) })).toThrow('provisioning.state_conflict');
  });

  it('about hardware needs evidence', () => {
    const ask = (given: object) =>
      requestOrder(DeviceId.parse('device-1'), OrderBody.parse(given), { orderId: 'o', who: 'op:a', now: NOW });
    const factory = { manufacturer: 'demo-motors', serial_number: 'DM-2' };
    for (const given of [{ kind: 'reinstate' }, { kind: 'ecu_swap', factory }]) {
      expect(() => ask({ ...given, reason: 'r' })).toThrow('provisioning.evidence_required');
      expect(ask({ ...given, reason: 'r', evidence: 'photo 1' })).toMatchObject({ evidence: 'photo 1' });
    }
  });

  it('names new hardware where hardware is swapped, and only there', () => {
    const factory = { manufacturer: 'demo-motors', serial_number: 'DM-2' };
    expect(OrderBody.safeParse({ kind: 'ecu_swap', reason: 'r', evidence: 'e' }).success).toBe(false);
    expect(OrderBody.safeParse({ kind: 'recovery', reason: 'r', factory }).success).toBe(false);
  });

  it('undoes what others hold against a device that was out of service', () => {
    expect(['registered', 'active'].map((state) => recovers(state as 'active'))).toEqual([false, false]);
    expect(['quarantined', 'awaiting_recovery', 'retired'].map((state) => recovers(state as 'retired'))).toEqual([
      true,
      true,
      true,
    ]);
  });
});
