import { describe, expect, it, test } from '@jest/globals';
import { RevocationReason } from '@outrider/contracts';
import { parseReason } from './reason.js';

describe('parseReason', () => {
  test.each([
    ['key-compromise', 'keyCompromise'],
    ['keyCompromise', 'keyCompromise'],
    ['KEY_COMPROMISE', 'keyCompromise'],
    ['Cessation Of Operation', 'cessationOfOperation'],
    ['caCompromise', 'cACompromise'],
    [undefined, 'unspecified'],
  ])('%s -> %s', (text, reason) => {
    expect(parseReason(text)).toBe(reason);
  });

  it.each(RevocationReason.options)('takes %s as it is', (reason) => {
    expect(parseReason(reason)).toBe(reason);
  });

  it.each(['removeFromCRL', '1', 'because', '-'])('refuses %s', (text) => {
    expect(() => parseReason(text)).toThrow(expect.objectContaining({ code: 'revocation.reason_unknown' }));
  });
});
