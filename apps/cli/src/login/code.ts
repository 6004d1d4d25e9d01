/** Tells the code that an authenticator app would show (RFC 6238: SHA-1, six digits, 30 s). */
import { generateSync } from 'otplib';

const STEP_SECONDS = 30;

/** `secret`: base32; `offset`: 0 for this step of 30 s, 1 for the next. */
export function codeAt(secret: string, nowMs: number, offset: number): string {
  return generateSync({ secret, epoch: Math.floor(nowMs / 1000) + offset * STEP_SECONDS });
}

/** Milliseconds until the next step begins. */
export function untilNextStepMs(nowMs: number): number {
  return STEP_SECONDS * 1000 - (nowMs % (STEP_SECONDS * 1000));
}
