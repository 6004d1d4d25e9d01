import { describe, expect, it, test } from '@jest/globals';
import { RevocationReason } from '@outrider/contracts';
import { isGraver, parseReason, standingReason } from './reason.js';

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

describe('of several reasons', () => {
  test.each<[RevocationReason[], RevocationReason, boolean, RevocationReason]>([
    [[], 'certificateHold', true, 'certificateHold'],
    [['certificateHold'], 'certificateHold', false, 'certificateHold'],
    [['certificateHold'], 'unspecified', true, 'unspecified'],
    [['certificateHold', 'superseded'], 'cACompromise', false, 'superseded'],
    [['superseded'], 'certificateHold', false, 'superseded'],
    [['superseded', 'certificateHold'], 'keyCompromise', true, 'keyCompromise'],
    [['keyCompromise'], 'superseded', false, 'keyCompromise'],
  ])('%j and then %s: news %s, and %s stands', (before, asked, isNews, stands) => {
    expect([isGraver(asked, before), standingReason(asked, before)]).toEqual([isNews, stands]);
  });
});
