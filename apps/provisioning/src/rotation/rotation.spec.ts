import { describe, expect, it, test } from '@jest/globals';
import {
  cursorOf,
  type Rotation,
  RotationBody,
  RotationQuery,
  rotationDocument,
  rotationState,
  wavesOf,
} from './rotation.js';

const body = { within_seconds: 600, reason: 'a library leaked keys' };

describe('an order', () => {
  test.each([
    ['a label', { label: 'trucks' }],
    ['an EST label', { est_label: 'short' }],
    ['both', { label: 'trucks', est_label: 'short' }],
    ['everyone, said so', { all: true }],
  ])('selects by %s', (_name, parts) => {
    expect(RotationBody.safeParse({ ...body, ...parts }).success).toBe(true);
  });
  test.each<[string, object]>([
    ['nobody', {}],
    ['everyone and some', { all: true, label: 'trucks' }],
    ['everyone by an empty label', { label: '' }],
    ['all: false', { all: false }],
    ['no reason', { all: true, reason: ' ' }],
    ['no time', { all: true, within_seconds: 0 }],
    ['more than a week', { all: true, within_seconds: 604_801 }],
    ['no wave', { all: true, waves: 0 }],
    ['an unknown member', { all: true, force: true }],
  ])('is none with %s', (_name, parts) => {
    expect(RotationBody.safeParse({ ...body, ...parts }).success).toBe(false);
  });
  test.each([
    [10, undefined, 1],
    [600, undefined, 10],
    [604_800, undefined, 1000],
    [600, 3, 3],
  ])('of %d s and %p waves has %d', (within_seconds, waves, expected) => {
    expect(wavesOf({ within_seconds, waves })).toBe(expected);
  });
});

const rotation: Rotation = {
  rotationId: '11111111-2222-4333-8444-555555555555',
  label: 'trucks',
  estLabel: null,
  withinSeconds: 600,
  waves: 10,
  reason: 'r',
  createdBy: 'op:1',
  startedAt: new Date('2026-01-01T00:00:00Z'),
  cancelledAt: null,
  cancelledBy: null,
  selected: 10,
  renewed: 6,
  gone: 1,
};
const at = (minutes: number) => new Date(rotation.startedAt.getTime() + minutes * 60_000);

describe('its state', () => {
  test.each<[string, Partial<Rotation>, Date, string]>([
    ['at first', {}, at(0), 'under_way'],
    ['when its time is over', {}, at(10), 'overdue'],
    ['when all have renewed that can', { renewed: 9 }, at(3), 'done'],
    ['late, too', { renewed: 9 }, at(99), 'done'],
    ['when it was cancelled', { cancelledAt: at(1), cancelledBy: 'op:2' }, at(2), 'cancelled'],
  ])('%s', (_name, parts, now, state) => expect(rotationState({ ...rotation, ...parts }, now)).toBe(state));

  it('is shown with its numbers', () => {
    expect(rotationDocument(rotation, at(1))).toMatchObject({
      selected: 10,
      renewed: 6,
      gone: 1,
      outstanding: 3,
      ends_at: '2026-01-01T00:10:00.000Z',
    });
  });
});

test('a cursor is read as it was given', () => {
  expect(RotationQuery.parse({ after: cursorOf('device-1') })).toEqual({ limit: 100, after: 'device-1' });
  expect(RotationQuery.safeParse({ after: 'x' }).success).toBe(false);
});
