import { expect, test } from '@jest/globals';
import { printable } from './printable.js';

test.each([
  ['payload: Unrecognized key: "a\0b"', 'payload: Unrecognized key: "a\ufffdb"'],
  ['CN=\u001b]0;owned\u0007', 'CN=\ufffd]0;owned\ufffd'],
  ['two\r\nlines', 'two\ufffd\ufffdlines'],
  ['\u202egnp.exe', '\ufffdgnp.exe'],
  ['M\u00fcnchen \u{1f697}', 'M\u00fcnchen \u{1f697}'],
  ['\ud83d', '\ufffd'],
])('%j is logged as %j', (text, logged) => expect(printable(text, 100)).toBe(logged));

test('a cut leaves no half of a surrogate pair', () => {
  expect(printable('ab\u{1f697}', 3)).toBe('ab\ufffd');
  expect(printable('x'.repeat(600), 500)).toHaveLength(500);
});
