import { expect, test } from '@jest/globals';
import { serves } from './freshness.js';

const token = { value: 't', scope: 's', fetchedAt: 0, expiresAt: 120_000, thumbprint: 'a' };
const short = { ...token, expiresAt: 20_000 };

test.each([
  ['there is none', undefined, 'a', 0, false],
  ['fresh', token, 'a', 0, true],
  ['with more than 15 s left', token, 'a', 104_999, true],
  ['with 15 s left', token, 'a', 105_000, false],
  ['short, with more than a quarter left', short, 'a', 14_999, true],
  ['short, with a quarter left', short, 'a', 15_000, false],
  ['over', token, 'a', 120_001, false],
  ['of another certificate', token, 'b', 0, false],
])('a token that is %s', (_name, cached, thumbprint, now, expected) => {
  expect(serves(cached, thumbprint, now)).toBe(expected);
});
