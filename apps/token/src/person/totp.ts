/** Decides whether a time-based code (RFC 6238: SHA-1, six digits, 30 s) is good now, and which step it uses up. */
import { generateURI, ScureBase32Plugin, verifySync } from 'otplib';

export const TOTP_SECRET_BYTES = 20;
const STEP_SECONDS = 30;
const base32 = new ScureBase32Plugin();

/**
 * The step (30 s since the epoch) that a code is of: this one, the one before or the one after; undefined for a wrong code and for
 * one of a step that is not after `lastStep`. RFC 6238 §5.2: a code is good once, which the caller keeps by storing the step.
 */
export function acceptedStep(secret: Uint8Array, code: string, lastStep: number, nowMs: number): number | undefined {
  if (!/^[0-9]{6}$/.test(code)) return undefined;
  const epoch = Math.floor(nowMs / 1000);
  const current = Math.floor(epoch / STEP_SECONDS);
  // Six digits of two steps may be the same: what was used must not hide what is fresh.
  for (const step of [current - 1, current, current + 1]) {
    if (step <= lastStep) continue;
    if (verifySync({ secret, token: code, epoch: step * STEP_SECONDS, epochTolerance: 0 }).valid) return step;
  }
  return undefined;
}

export function totpSecretText(secret: Uint8Array): string {
  return base32.encode(secret).replace(/=+$/, '');
}

/** Throws a plain error for what is no base32 of 16 to 64 bytes. */
export function parseTotpSecret(text: string): Buffer {
  const secret = Buffer.from(base32.decode(text.trim().replaceAll(' ', '').toUpperCase()));
  if (secret.length < 16 || secret.length > 64) throw new Error('a TOTP secret has 16 to 64 bytes');
  return secret;
}

/** What authenticator apps read from a QR code. */
export function totpUri(secret: Uint8Array, account: string, issuer: string): string {
  return generateURI({ issuer, label: account, secret: totpSecretText(secret) });
}
