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
  expect(state.covered).toEqual({ sequence: 1, urgent: 1 });
  expect(state.proven).toEqual({ list: state.live, generation: 1, sequence: 1 });
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

function provenState(...entries: DenylistEntry[]): FeedState {
  const state = new FeedState();
  state.beginResync();
  for (const one of entries) state.entry(one);
  state.heartbeat(heartbeatOf(...entries), 0);
  state.heartbeat(heartbeatOf(...entries), 0);
  return state;
}
const other: DenylistEntry = { ...entry, value: 'device-b', sequence: 2 };
const third: DenylistEntry = { ...entry, value: 'device-c', sequence: 3 };

it('covers what is urgent ahead of what is not, and tells of no proof between entry and heartbeat', () => {
  const state = provenState(entry);
  state.entry(third);
  expect(state.proven).toBeUndefined();
  expect(state.heartbeat({ ...heartbeatOf(entry, third), sequence: 1, urgent: 3 }, 10)).toBe('same');
  expect(state.covered).toEqual({ sequence: 1, urgent: 3 });
  expect(state.proven?.sequence).toBe(1);
  state.entry(other);
  expect(state.heartbeat(heartbeatOf(entry, other, third), 20)).toBe('same');
  expect(state.covered).toEqual({ sequence: 3, urgent: 3 });
});

it('waits for what a gap in the records announces, ageing meanwhile, and not for ever', () => {
  const state = provenState(entry);
  state.gap();
  for (let n = 1; n <= 10; n += 1) expect(state.heartbeat(heartbeatOf(entry, other), n * 1000)).toBe('waiting');
  expect(state.ageMs(10_000, LIMITS)).toBe(10_000);
  expect(state.heartbeat(heartbeatOf(entry, other), 11_000)).toBe('resync');
});

it('is content once what was missing has come, and takes the next difference without a gap for what it is', () => {
  const state = provenState(entry);
  state.gap();
  expect(state.heartbeat(heartbeatOf(entry, other), 1000)).toBe('waiting');
  state.entry(other);
  expect(state.heartbeat(heartbeatOf(entry, other), 2000)).toBe('same');
  expect(state.heartbeat(heartbeatOf(entry, other, third), 3000)).toBe('resync');
});

it('takes the chunks of a snapshot into the list in force too, and proves it with the changes since', () => {
  const snapshot = new Denylist();
  for (const one of [entry, other]) snapshot.apply(one);
  const state = provenState(entry);
  state.beginResync();
  for (const chunk of snapshot.packed(4096)) state.chunk(chunk);
  expect(state.live.get('device', 'device-b')).toEqual(other);
  state.entry({ ...other, sequence: 4, removed: true });
  state.entry(third);
  const held = heartbeatOf(entry, third);
  state.heartbeat({ ...held, sequence: 4 }, 5);
  expect(state.snapshotComplete()).toBe('swapped');
  expect(state.live.get('device', 'device-b')).toBeUndefined();
  expect(state.covered?.sequence).toBe(4);
});

it('keeps what it has in force beside a snapshot that lacks it, until the new list is proven', () => {
  const state = provenState(entry, other);
  state.beginResync();
  state.entry(third);
  expect([...state.live.entries()]).toHaveLength(3);
  state.heartbeat(heartbeatOf(third), 5);
  expect(state.snapshotComplete()).toBe('swapped');
  expect([...state.live.entries()]).toEqual([third]);
});
