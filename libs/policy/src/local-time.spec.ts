import { expect, it, test } from '@jest/globals';
import { isTimeZone, localTime } from './local-time.js';

test.each([
  ['2026-11-22T23:30:00Z', 'Europe/Berlin', { hour: 0, minuteOfDay: 30, weekday: 1 }],
  ['2026-07-01T22:59:00Z', 'Europe/Berlin', { hour: 0, minuteOfDay: 59, weekday: 4 }],
  ['2026-03-29T01:00:00Z', 'Europe/Berlin', { hour: 3, minuteOfDay: 180, weekday: 7 }],
  ['2026-11-22T23:30:00Z', 'Asia/Kathmandu', { hour: 5, minuteOfDay: 315, weekday: 1 }],
  ['2026-11-22T00:00:00Z', 'UTC', { hour: 0, minuteOfDay: 0, weekday: 7 }],
])('%s in %s', (instant, zone, expected) => {
  expect(localTime(new Date(instant), zone)).toEqual(expected);
});

it('keeps each zone’s minute, and no other', () => {
  const at = (time: string, zone: string) => localTime(new Date(`2026-07-01T${time}Z`), zone).minuteOfDay;
  expect([at('10:00:00', 'UTC'), at('10:00:59.999', 'UTC'), at('10:01:00', 'UTC'), at('10:00:30', 'UTC')]).toEqual([
    600, 600, 601, 600,
  ]);
  expect([at('10:01:00', 'Europe/Berlin'), at('10:01:00', 'UTC')]).toEqual([721, 601]);
});

it('knows a zone from a guess', () => {
  expect([isTimeZone('America/New_York'), isTimeZone('Mars/Olympus'), isTimeZone('')]).toEqual([true, false, false]);
});
