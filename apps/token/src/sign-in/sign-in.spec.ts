import { expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { afterFactor, MAX_FACTOR_FAILURES, nextFactors, requireOpen, type SignIn } from './sign-in.js';

const NOW = 1_700_000_000_000;
const open: SignIn = { state: 'open', failures: 0, expiresAtMs: NOW + 1 };

test.each<[string, boolean, number, number, string[]]>([
  ['nothing', false, 0, 0, []],
  ['recovery codes alone', false, 0, 10, []],
  ['a code', true, 0, 0, ['totp']],
  ['a code and recovery codes', true, 0, 1, ['totp', 'recovery_code']],
  ['a key', false, 1, 0, ['webauthn']],
  ['everything', true, 2, 10, ['totp', 'webauthn', 'recovery_code']],
])('an account with %s shows next', (_name, totp, webauthnCredentials, recoveryCodes, expected) => {
  expect(nextFactors({ totp, webauthnCredentials, recoveryCodes })).toEqual(expected);
});

test.each<[string, SignIn | undefined]>([
  ['unknown', undefined],
  ['done', { ...open, state: 'done' }],
  ['too old', { ...open, expiresAtMs: NOW }],
  ['failed too often', { ...open, failures: MAX_FACTOR_FAILURES }],
])('a sign-in that is %s is over', (_name, signIn) => {
  expect(() => requireOpen(signIn, NOW)).toThrow(expect.objectContaining({ code: 'sign_in.not_open' }) as never);
});

it('ends with the first right factor, or with the last wrong one; nothing leads out of its end', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 20 }), (shown) => {
      let signIn = open;
      let successes = 0;
      let failures = 0;
      for (const right of shown) {
        try {
          signIn = afterFactor(signIn, right, NOW);
        } catch {
          break;
        }
        if (right) successes += 1;
        else failures += 1;
      }
      expect(successes).toBeLessThanOrEqual(1);
      expect(failures).toBeLessThanOrEqual(MAX_FACTOR_FAILURES);
      expect(signIn.state).toBe(successes === 1 ? 'done' : 'open');
    }),
  );
});
