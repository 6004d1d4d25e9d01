import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import { DeviceId } from '@outrider/ids';
import type { CommandKind } from '../catalogue/catalogue.js';
import type { CheckedWords } from '../send/send-command.js';
import {
  approve,
  type Batch,
  BatchRequest,
  cancel,
  needsApproval,
  openBatch,
  reject,
  sendUntil,
  settle,
} from './batch.js';
import { previewOf } from './preview.js';

const T0 = new Date('2026-03-01T12:00:00Z');
const at = (seconds: number) => new Date(T0.getTime() + seconds * 1000);
const device = (n: number) => DeviceId.parse(`device-${n}`);
const words = (parts: Partial<CheckedWords> = {}, critical = false): CheckedWords => ({
  kind: { name: 'honk', critical } as CommandKind,
  parameters: {},
  notBefore: null,
  expirySeconds: 300,
  timeoutSeconds: 30,
  ...parts,
});
const target = { devices: [device(1), device(2)] };
const context = {
  id: 'b',
  requestedBy: 'op:ann',
  requestedAs: { roles: ['fleet-operator'], secondFactor: false, elevated: false },
  evidence: { token: 't1' },
  until: at(900),
  now: T0,
};
const ann = { identity: 'ann@fleet', keyedBy: ['root@fleet'] };
const waiting = openBatch(words(), target, 2, { person: ann, waits: true }, context).batch;
const running = openBatch(words(), target, 2, { person: ann, waits: false }, context).batch;
const by = (who: string, seconds: number) => ({
  by: who,
  reason: undefined,
  evidence: { token: 't2' },
  now: at(seconds),
});
const others = { sender: ['ann@fleet'], approver: 'ben@fleet' };

test('above the cap alone a second operator must agree', () => {
  expect([0, 25, 26].map((matched) => needsApproval(matched, 0, 25))).toEqual([false, false, true]);
  expect([0, 20, 21].map((sentAlone) => needsApproval(5, sentAlone, 25))).toEqual([false, false, true]);
  expect(running.requestedPeople).toEqual(['ann@fleet', 'root@fleet']);
  expect(running).toMatchObject({ state: 'running', startedAt: T0, approvalExpiresAt: null });
  expect(waiting).toMatchObject({ state: 'awaiting_approval', startedAt: null, approvalExpiresAt: at(3600) });
});

it('keeps of a list how many it named, and a query as it is', () => {
  expect(waiting.target).toEqual({ devices: 2 });
  const query = { query: { labels: ['north'], states: ['active' as const] } };
  expect(openBatch(words(), query, 2, { person: ann, waits: false }, context).batch.target).toEqual(query);
});

describe('approval', () => {
  it('starts it, by somebody else', () => {
    const { batch, who } = approve(waiting, others, by('op:ben', 60));
    expect(batch).toMatchObject({ state: 'running', startedAt: at(60) });
    expect(who).toBe('op:ben');
  });

  it.each([
    ['the account that asked', 'op:ann', others],
    ['another account of the same person', 'op:ann-too', { sender: ['ann@fleet'], approver: 'ann@fleet' }],
    ['one of who it was when it asked', 'op:ben', { sender: ['carl@fleet'], approver: 'ann@fleet' }],
    [
      'whoever may hold the key of the account that asked',
      'op:ben',
      { sender: ['puppet', 'ben@fleet'], approver: 'ben@fleet' },
    ],
  ])('is not for %s', (_name, who, identities) => {
    expect(() => approve(waiting, identities, by(who, 60))).toThrow('command.batch_same_person');
  });

  it('comes in time or not at all', () => {
    expect(settle(waiting, 2, at(3599))).toBeUndefined();
    expect(settle(waiting, 2, at(3600))?.batch.state).toBe('expired');
    expect(() => approve(waiting, others, by('op:ben', 3600))).toThrow('command.batch_closed');
  });

  it('of a critical command comes while its sender’s token lives', () => {
    const critical = openBatch(words({}, true), target, 2, { person: ann, waits: true }, context).batch;
    expect(critical.approvalExpiresAt).toEqual(at(900));
    expect(() => approve(critical, others, by('op:ben', 900))).toThrow('command.batch_closed');
  });

  it('is given once, and not after a rejection or a cancel', () => {
    for (const state of ['running', 'done', 'rejected', 'expired', 'cancelling', 'cancelled'] as const)
      expect(() => approve({ ...waiting, state }, others, by('op:ben', 1))).toThrow('command.batch_closed');
    expect(reject(waiting, by('op:ben', 1)).batch.state).toBe('rejected');
  });
});

describe('the way back', () => {
  it.each<[Batch['state'], string]>([
    ['awaiting_approval', 'cancelling'],
    ['running', 'cancelling'],
    ['done', 'cancelling'],
  ])('from %s', (state, then) => {
    expect(cancel({ ...running, state }, by('op:ann', 1))?.batch.state).toBe(then);
  });

  it('is gone once, and not open for what never began', () => {
    expect(cancel({ ...running, state: 'cancelling' }, by('op:ann', 1))).toBeUndefined();
    expect(cancel({ ...running, state: 'cancelled' }, by('op:ann', 1))).toBeUndefined();
    expect(() => cancel({ ...running, state: 'rejected' }, by('op:ann', 1))).toThrow('command.batch_closed');
  });
});

test('it ends when nothing is left to do', () => {
  expect(settle(running, 1, at(1))).toBeUndefined();
  expect(settle(running, 0, at(1))?.batch.state).toBe('done');
  expect(settle({ ...running, state: 'cancelling' }, 1, at(1))).toBeUndefined();
  expect(settle({ ...running, state: 'cancelling' }, 0, at(1))?.batch.state).toBe('cancelled');
  expect(settle({ ...running, state: 'done' }, 0, at(1))).toBeUndefined();
});

test('its time to send counts from its start, or from when it is for', () => {
  expect(sendUntil(running)).toEqual(at(300));
  expect(sendUntil({ ...waiting, startedAt: at(60) })).toEqual(at(360));
  expect(sendUntil({ ...running, notBefore: at(1000) })).toEqual(at(1300));
});

test('a preview groups refusals by their reason, the most common first', () => {
  const denied = (detail: string) => new DomainError('policy.denied', { detail });
  const judged = [
    { deviceId: device(1) },
    { deviceId: device(2), error: denied('moving') },
    { deviceId: device(3), error: denied('far') },
    { deviceId: device(4), error: denied('moving') },
  ];
  expect(previewOf(judged, { matched: 40, sentAlone: 2, approvalAbove: 25, maxDevices: 100 })).toEqual({
    matched: 40,
    max_devices: 100,
    sent_alone: 2,
    needs_approval: true,
    judged: 4,
    could_have_it: 1,
    refused: [
      { code: 'policy.denied', detail: 'moving', count: 2, devices: ['device-2', 'device-4'] },
      { code: 'policy.denied', detail: 'far', count: 1, devices: ['device-3'] },
    ],
    devices: ['device-1', 'device-2', 'device-3', 'device-4'],
  });
});

test('a request names a list or a query, never both nor neither', () => {
  const ok = (given: unknown) => BatchRequest.safeParse({ name: 'honk', target: given }).success;
  expect(ok({ devices: ['device-1'] })).toBe(true);
  expect(ok({ query: { labels: ['north'] } })).toBe(true);
  for (const bad of [{}, { devices: [] }, { query: {} }, { query: { labels: [] } }, undefined])
    expect(ok(bad)).toBe(false);
  expect(ok({ devices: ['device-1'], query: { labels: ['north'] } })).toBe(false);
  expect(ok({ query: { labels: ['a'], states: ['retired'] } })).toBe(false);
});
