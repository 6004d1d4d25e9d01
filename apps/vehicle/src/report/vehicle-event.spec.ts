import { expect, test } from '@jest/globals';
import { eventLine, isLoud } from './vehicle-event.js';

const at = '2026-01-02T03:04:05.678Z';

test('an event is one line for a person', () => {
  const event = { at, device: 'demo-1', event: 'accepted', seq: 3, upTo: 3, count: 1, ms: 4, queued: 0 } as const;
  expect(eventLine(event)).toBe('03:04:05.678 demo-1   accepted seq=3 upTo=3 count=1 ms=4 queued=0');
});

test('what needs looking at is marked, and text from outside stays within its line', () => {
  const event = { at, device: 'demo-1', event: 'failed', what: 'x', code: 'c', detail: 'a\n\u001b[2Jb c' } as const;
  expect(isLoud(event)).toBe(true);
  expect(eventLine(event)).toBe('03:04:05.678 demo-1 ! failed what=x code=c detail="a??[2Jb c"');
});
