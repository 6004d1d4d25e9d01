import { describe, expect, it, test } from '@jest/globals';
import { generateSync } from 'otplib';
import { acceptedStep, parseTotpSecret, totpSecretText, totpUri } from './totp.js';

/** RFC 6238 Appendix B: the secret of its test vectors for SHA-1; the last six of their eight digits. */
const SECRET = Buffer.from('12345678901234567890');
const NOW_MS = 1_700_000_010_000;
const STEP = Math.floor(NOW_MS / 30_000);
const codeOf = (step: number) => generateSync({ secret: SECRET, epoch: step * 30 });

test.each([
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
])('RFC 6238: at %d the code is %s', (seconds, code) => {
  expect(acceptedStep(SECRET, code, 0, seconds * 1000)).toBe(Math.floor(seconds / 30));
});

describe('a code', () => {
  test.each<[string, number, number, number | undefined]>([
    ['of this step', 0, STEP - 100, STEP],
    ['of the step before', -1, STEP - 100, STEP - 1],
    ['of the step after', 1, STEP - 100, STEP + 1],
    ['two steps old', -2, STEP - 100, undefined],
    ['two steps ahead', 2, STEP - 100, undefined],
    ['used', 0, STEP, undefined],
    ['older than the one used', -1, STEP, undefined],
    ['after the one used', 1, STEP, STEP + 1],
    ['of this step, after one that was ahead', 0, STEP + 1, undefined],
  ])('%s', (_name, offset, lastStep, expected) => {
    expect(acceptedStep(SECRET, codeOf(STEP + offset), lastStep, NOW_MS)).toBe(expected);
  });

  test.each(['', '12345', '1234567', '12345a', '１２３４５６', ' 12345'])('is not %p', (code) => {
    expect(acceptedStep(SECRET, code, 0, NOW_MS)).toBeUndefined();
  });
});

describe('a secret', () => {
  it('is written in base32 and read again, spaces and case aside', () => {
    const text = totpSecretText(SECRET);
    expect(text).toBe('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ');
    expect(parseTotpSecret(` ${text.toLowerCase().slice(0, 4)} ${text.slice(4)}\n`)).toEqual(SECRET);
    expect(totpUri(SECRET, 'ada', 'Outrider')).toContain(`secret=${text}`);
  });
  it.each(['', 'GEZDGNBV', '!!!'])('is not %p', (text) => expect(() => parseTotpSecret(text)).toThrow());
});
