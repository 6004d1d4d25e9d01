/** Decides when a certificate is to be renewed: by its label's policy, apart from every other device, sooner where a rotation asks for it. */
import { createHash } from 'node:crypto';

export interface RenewalWindow {
  readonly start: Date;
  readonly end: Date;
}

export interface Renewable {
  readonly deviceId: string;
  /** When it was handed out: `notBefore` is back-dated by the skew, and says nothing about its age. */
  readonly issuedAt: Date;
  readonly notAfter: Date;
}

/** Fractions of the lifetime, 0 <= windowStart < windowEnd <= 1. */
export interface WindowPolicy {
  readonly windowStart: number;
  readonly windowEnd: number;
}

/** A device's place in a rotation that was ordered after its certificate was handed out. `wave`: 0 .. waves-1. */
export interface RotationPlace {
  readonly startedAt: Date;
  readonly withinSeconds: number;
  readonly waves: number;
  readonly wave: number;
}

/** A device's own window is this part of the policy's; where it lies in it, its name decides. */
const OWN_SHARE = 0.25;
/** A window ends this part of the life before the certificate does: who renews in its last moment must still be able to. */
const LAST_SHARE = 0.02;

/**
 * The same for the same certificate whenever it is asked for, until a rotation moves it. Times in whole seconds.
 * It lies in the certificate's life, ends after it begins, and may lie in the past: then renewal is due at once.
 */
export function renewalWindow(
  certificate: Renewable,
  policy: WindowPolicy,
  rotations: readonly RotationPlace[],
): RenewalWindow {
  const windows = [policyWindow(certificate, policy), ...rotations.map(rotationWindow)];
  const [soonest] = windows.sort((a, b) => a.end - b.end) as [Span, ...Span[]];
  return within(certificate, soonest);
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function policyWindow({ deviceId, issuedAt, notAfter }: Renewable, { windowStart, windowEnd }: WindowPolicy): Span {
  const life = notAfter.getTime() - issuedAt.getTime();
  const width = (windowEnd - windowStart) * OWN_SHARE;
  const start = windowStart + place(deviceId, issuedAt) * (windowEnd - windowStart - width);
  return { start: issuedAt.getTime() + start * life, end: issuedAt.getTime() + (start + width) * life };
}

function rotationWindow({ startedAt, withinSeconds, waves, wave }: RotationPlace): Span {
  const each = (withinSeconds * 1000) / waves;
  const start = startedAt.getTime() + wave * each;
  return { start, end: start + each };
}

function within({ issuedAt, notAfter }: Renewable, { start, end }: Span): RenewalWindow {
  const life = Math.max(0, notAfter.getTime() - issuedAt.getTime());
  const first = Math.floor(issuedAt.getTime() / 1000);
  const last = Math.floor((notAfter.getTime() - life * LAST_SHARE) / 1000);
  const ends = Math.min(Math.max(Math.ceil(end / 1000), first + 1), last);
  const starts = Math.min(Math.max(Math.floor(start / 1000), first), ends - 1);
  return { start: new Date(starts * 1000), end: new Date(ends * 1000) };
}

/** In [0, 1), even over devices; another with each certificate, so that neighbours in one renewal are none in the next. */
function place(deviceId: string, issuedAt: Date): number {
  const digest = createHash('sha256')
    .update(`${deviceId} ${Math.floor(issuedAt.getTime() / 1000)}`)
    .digest();
  return digest.readUInt32BE(0) / 2 ** 32;
}

/** Seconds until a vehicle is to ask again: around `pollSeconds`, a fifth of it either way by `random` in [0, 1). */
export function pollAfterSeconds(pollSeconds: number, random: number): number {
  return Math.max(1, Math.round(pollSeconds * (0.8 + random * 0.4)));
}
