import { describe, expect, it, test } from '@jest/globals';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { type Approval, consultApprovals, decideApproval, stateOf } from './approval.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const minutes = (count: number): Date => new Date(NOW.getTime() + count * 60_000);
const LIMITS = { pendingSeconds: 3600, retryAfterSeconds: 30, perDevice: 2, perManufacturer: 10 };
const REQUEST = { csrSha256: 'aa', label: 'approve' };

function approval(parts: Partial<Approval> = {}): Approval {
  return {
    id: '6f4b7a52-54d0-4b2e-9a55-0d7f0c0b1a11',
    manufacturer: 'demo-motors',
    serialNumber: 'DM-1',
    deviceId: DeviceId.parse('device-12345'),
    label: 'approve',
    csrSha256: 'aa',
    keyThumbprint: 'key',
    presented: Thumbprint.parse('A'.repeat(43)),
    remoteAddress: '10.0.0.1',
    decision: 'pending',
    requestedAt: minutes(-5),
    expiresAt: minutes(55),
    decidedAt: null,
    decidedBy: null,
    reason: null,
    usedAt: null,
    ...parts,
  };
}

describe('a request at a label that asks an operator', () => {
  const FILE = { kind: 'wait', retryAfterSeconds: 30, file: true };
  const WAIT = { kind: 'wait', retryAfterSeconds: 30, file: false };
  const FULL = { kind: 'refuse', code: 'est.approvals_full' };
  test.each<[string, Approval[], number, object]>([
    ['is filed the first time', [], 0, FILE],
    ['waits', [approval()], 1, WAIT],
    ['waits though its device has as many as it may', [approval(), approval({ csrSha256: 'bb' })], 10, WAIT],
    ['is filed beside another of the device', [approval({ csrSha256: 'bb' })], 1, FILE],
    ['is filed anew at another label', [approval({ label: 'other' })], 1, FILE],
    ['is filed anew when it expired', [approval({ expiresAt: NOW })], 0, FILE],
    [
      'is filed anew when the approval was not used in time',
      [approval({ decision: 'approved', expiresAt: NOW })],
      0,
      FILE,
    ],
    ['is filed anew when the approval was used', [approval({ decision: 'approved', usedAt: minutes(-1) })], 0, FILE],
    ['is too many of the device', [approval({ csrSha256: 'bb' }), approval({ csrSha256: 'cc' })], 2, FULL],
    [
      'counts only those that wait',
      [approval({ csrSha256: 'bb', expiresAt: NOW }), approval({ csrSha256: 'cc' })],
      2,
      FILE,
    ],
    ['is too many of the manufacturer', [], 10, FULL],
    ['is approved', [approval({ decision: 'approved' })], 0, { kind: 'approved', id: approval().id }],
    ['is rejected', [approval({ decision: 'rejected' })], 0, { kind: 'refuse', code: 'est.approval_rejected' }],
    ['may be asked again when the rejection is over', [approval({ decision: 'rejected', expiresAt: NOW })], 0, FILE],
    [
      'is not approved by the approval of another request',
      [approval({ decision: 'approved', csrSha256: 'bb' })],
      0,
      FILE,
    ],
  ])('%s', (_what, ofDevice, pendingOfManufacturer, expected) => {
    expect(consultApprovals(REQUEST, ofDevice, pendingOfManufacturer, LIMITS, NOW)).toMatchObject(expected);
  });
});

describe('an operator decides', () => {
  const act = (decision: 'approved' | 'rejected') => ({ decision, by: 'op:1', reason: 'seen at the gate' });

  it.each(['approved', 'rejected'] as const)('%s: from now on, for as long again', (decision) => {
    const decided = decideApproval(approval(), act(decision), LIMITS, NOW);
    expect(decided).toMatchObject({
      decision,
      decidedBy: 'op:1',
      reason: 'seen at the gate',
      decidedAt: NOW,
      expiresAt: minutes(60),
    });
    expect(stateOf(decided, NOW)).toBe(decision);
    expect(decideApproval(decided, { ...act(decision), by: 'op:2' }, LIMITS, minutes(1))).toBe(decided);
  });

  test.each<[string, Approval, 'approved' | 'rejected']>([
    ['what was rejected', approval({ decision: 'rejected' }), 'approved'],
    ['what was approved', approval({ decision: 'approved' }), 'rejected'],
    ['what led to a certificate', approval({ decision: 'approved', usedAt: NOW }), 'rejected'],
    ['what is over', approval({ expiresAt: NOW }), 'approved'],
  ])('not on %s', (_what, given, decision) => {
    expect(() => decideApproval(given, act(decision), LIMITS, NOW)).toThrow(
      expect.objectContaining({ code: 'provisioning.enrolment_conflict' }),
    );
  });
});
