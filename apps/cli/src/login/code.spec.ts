import { expect, test } from '@jest/globals';
import { codeAt, untilNextStepMs } from './code.js';

/** RFC 6238 Appendix B, the last six of eight digits. */
test.each([
  [59_000, 0, '287082'],
  [29_000, 1, '287082'],
  [1_111_111_109_000, 0, '081804'],
])('at %d, %d steps on, the code is %s', (nowMs, offset, code) => {
  expect(codeAt('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', nowMs, offset)).toBe(code);
});

test('the next step begins within 30 s', () => {
  expect([0, 1, 29_999].map(untilNextStepMs)).toEqual([30_000, 29_999, 1]);
});
