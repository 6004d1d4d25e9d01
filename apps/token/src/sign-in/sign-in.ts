/** Decides what a sign-in may do next: a first factor was right, a second one is owed, within minutes and a few tries. */
import { DomainError } from '@outrider/errors';

export const SECOND_FACTORS = ['totp', 'webauthn', 'recovery_code'] as const;
export type SecondFactor = (typeof SECOND_FACTORS)[number];

/** How long the second factor may take, and how many wrong ones one sign-in bears. */
export const SIGN_IN_SECONDS = 300;
export const MAX_FACTOR_FAILURES = 5;

/** `open`: a second factor is owed; `done`: it gave its token. `failures`: wrong second factors. */
export interface SignIn {
  readonly state: 'open' | 'done';
  readonly failures: number;
  readonly expiresAtMs: number;
}

/** Which factors an account has. */
export interface EnrolledFactors {
  readonly totp: boolean;
  readonly webauthnCredentials: number;
  readonly recoveryCodes: number;
}

/** What the account can show next; nothing: it has no second factor yet, and may do nothing but enrol one. A recovery code replaces a factor, it is none. */
export function nextFactors({ totp, webauthnCredentials, recoveryCodes }: EnrolledFactors): SecondFactor[] {
  if (!totp && webauthnCredentials === 0) return [];
  return SECOND_FACTORS.filter(
    (factor) => ({ totp, webauthn: webauthnCredentials > 0, recovery_code: recoveryCodes > 0 })[factor],
  );
}

/** @throws DomainError `sign_in.not_open` for one that is over: done, too old, or failed too often */
export function requireOpen<S extends SignIn>(signIn: S | undefined, nowMs: number): S {
  if (signIn?.state !== 'open' || nowMs >= signIn.expiresAtMs || signIn.failures >= MAX_FACTOR_FAILURES) {
    throw new DomainError('sign_in.not_open');
  }
  return signIn;
}

/** After a second factor was shown: right ends it, wrong counts. A sign-in that is over stays as it is. */
export function afterFactor(signIn: SignIn, right: boolean, nowMs: number): SignIn {
  requireOpen(signIn, nowMs);
  return right ? { ...signIn, state: 'done' } : { ...signIn, failures: signIn.failures + 1 };
}
