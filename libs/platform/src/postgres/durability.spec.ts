import { expect, test } from '@jest/globals';
import { missingDurability } from './durability.provider.js';

test.each([
  ['', 'on', 'expected', /no standby/],
  ['', 'on', undefined, /no standby/],
  ['ANY 1 (a, b)', 'local', 'expected', /local/],
  ['ANY 1 (a, b)', 'off', 'expected', /any disk/],
  ['', 'off', 'none', /any disk/],
] as const)('standbys "%s", synchronous_commit %s, %s: warned of', (standbys, level, wanted, words) => {
  expect(missingDurability(standbys, level, wanted)).toMatch(words);
});

test.each([
  ['ANY 1 (a, b)', 'on', 'expected'],
  ['standby', 'remote_apply', undefined],
  ['', 'on', 'none'],
] as const)('standbys "%s", synchronous_commit %s, %s: nothing to say', (standbys, level, wanted) => {
  expect(missingDurability(standbys, level, wanted)).toBeUndefined();
});
