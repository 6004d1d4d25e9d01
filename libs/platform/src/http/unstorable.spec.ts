import { expect, it } from '@jest/globals';
import { nulIn } from './unstorable.js';

it.each([
  ['in a string', 'a\0b', ''],
  ['in a member', { reason: 'a\0' }, 'reason'],
  ['in a list', { lines: ['a', { note: '\0' }] }, 'lines.1.note'],
  ['in a name', { lines: { 'a\0': 1 } }, 'lines'],
])('a NUL %s', (_where, value, path) => expect(nulIn(value)).toBe(path));

it.each([
  ['the six characters', '\\u0000'],
  ['a number', 0],
  ['nothing', null],
  ['all kinds', { a: ['b', true, 1, null] }],
])('none in %s', (_what, value) => expect(nulIn(value)).toBeUndefined());
