import { expect, test } from '@jest/globals';
import { isSnapshotDue } from './snapshot-due.js';

test.each([
  ['a list that is read at once needs none', { sequence: 9000, count: 4999 }, undefined, false],
  ['one of some size does', { sequence: 9000, count: 5000 }, undefined, true],
  ['few changes need no other', { sequence: 9000, count: 5000 }, { sequence: 6901, ageMs: 60_000 }, false],
  ['many do', { sequence: 9000, count: 5000 }, { sequence: 6899, ageMs: 60_000 }, true],
  ['but not at once', { sequence: 9000, count: 5000 }, { sequence: 6899, ageMs: 9999 }, false],
  ['a million bears more', { sequence: 1_021_000, count: 1_000_000 }, { sequence: 1_000_000, ageMs: 60_000 }, false],
  ['and not everything', { sequence: 1_022_001, count: 1_000_000 }, { sequence: 1_000_000, ageMs: 60_000 }, true],
  ['no change, no other, however old', { sequence: 9000, count: 5000 }, { sequence: 9000, ageMs: 1e9 }, false],
  ['one change in half an hour is enough', { sequence: 9001, count: 5000 }, { sequence: 9000, ageMs: 1_800_000 }, true],
])('%s', (_name, written, last, due) => {
  expect(isSnapshotDue(written, last)).toBe(due);
});
