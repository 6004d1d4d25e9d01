import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RECOVERY_CODE_BYTES, recoveryCode, recoveryDigest } from './recovery-codes.js';

it('writes every bit of its randomness', () => {
  const random = fc.uint8Array({ minLength: RECOVERY_CODE_BYTES, maxLength: RECOVERY_CODE_BYTES });
  fc.assert(
    fc.property(random, random, (one, two) => {
      expect(recoveryCode(one)).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}$/);
      expect(recoveryCode(one) === recoveryCode(two)).toBe(Buffer.compare(one, two) === 0);
    }),
  );
});

it('is recognised however it was typed, for its own account alone', () => {
  const digest = recoveryDigest('a', '01AB-CDEF-GHJK-MNPQ');
  expect(recoveryDigest('a', 'olab cdef ghjkmnpq')).toEqual(digest);
  expect(recoveryDigest('b', '01AB-CDEF-GHJK-MNPQ')).not.toEqual(digest);
  expect(recoveryDigest('a', '01AB-CDEF-GHJK-MNPR')).not.toEqual(digest);
});
