import { expect, it } from '@jest/globals';
import { Denylist, type DenylistEntry } from '@outrider/admission';
import { FeedState } from './feed-state.js';

const LIMITS = { controlStaleMs: 5000 };
const entry: DenylistEntry = { kind: 'device', value: 'device-a', mode: 'deny', reason: 'test', sequence: 1 };

function heartbeatOf(...entries: DenylistEntry[]) {
  const list = new Denylist();
  for (const one of entries) list.apply(one);
  const { sequence, count, digest } = list;
  return { generation: 1, sequence, count, digest };
}

it('takes a list over at the second heartbeat of a reading whose end nobody told', () => {
  const state = new FeedState();
  state.beginResync();
  state.entry(entry);
  expect(state.heartbeat(heartbeatOf(entry), 1000)).toBe('waiting');
  expect(state.ageMs(1000, LIMITS)).toBe(Number.POSITIVE_INFINITY);
  expect(state.heartbeat(heartbeatOf(entry), 2000)).toBe('swapped');
  expect(state.ageMs(2000, LIMITS)).toBe(0);
  expect(state.sequence).toBe(1);
});

it('reads again where that heartbeat speaks of more than was read', () => {
  const state = new FeedState();
  state.beginResync();
  state.heartbeat(heartbeatOf(entry), 1000);
  expect(state.heartbeat(heartbeatOf(entry), 2000)).toBe('resync');
});

it('believes a heartbeat found in the bucket for the set, not for its age', () => {
  const state = new FeedState();
  state.beginResync();
  state.entry(entry);
  state.heartbeat(heartbeatOf(entry), 1000);
  expect(state.snapshotComplete()).toBe('swapped');
  expect(state.ageMs(1000, LIMITS)).toBe(Number.POSITIVE_INFINITY);
  expect(state.heartbeat(heartbeatOf(entry), 2000)).toBe('same');
  expect(state.ageMs(2000, LIMITS)).toBe(0);
});
