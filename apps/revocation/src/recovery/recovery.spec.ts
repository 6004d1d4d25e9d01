import { expect, test } from '@jest/globals';
import { endedClaims } from './recovery.js';

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute));

test.each<[string, Date | undefined, Date | undefined, readonly string[]]>([
  ['the revocation that the order knew', at(1), at(1), ['revoke', 'hold', 'lasting']],
  ['one that the order knew and that did not get here yet', undefined, at(1), ['revoke', 'hold', 'lasting']],
  ['a retired device that nobody revoked', undefined, undefined, ['revoke', 'hold', 'lasting']],
  ['a later revocation stands', at(2), at(1), []],
  ['a revocation that the order knew nothing of stands', at(1), undefined, []],
])('%s', (_what, last, upTo, expected) => {
  expect(endedClaims(last, upTo)).toEqual(expected);
});
