/** Decides when a vehicle enrols, renews, or goes on with the certificate it has. */

/** Milliseconds since the epoch. `receivedAt`: when the vehicle got it; `notBefore` is back-dated and says nothing about its age. */
export interface Lifetime {
  readonly receivedAt: number;
  readonly notAfter: number;
}

/** When the platform suggests to renew, in ms since the epoch (draft-ietf-lamps-est-renewal-info). */
export interface RenewalWindow {
  readonly start: number;
  readonly end: number;
}

export type IdentityStep = 'enrol' | 'renew' | 'keep';

/** Whatever the platform suggests, this part of the life is the last moment: a vehicle must not wait until its certificate is over. */
const LATEST = 0.95;
/** And no sooner than this after the last time, a hundredth of the life at most: a window in the past again and again must not make a vehicle renew without end. */
const SOONEST_MS = 10_000;

/**
 * When to renew. With the platform's window: at `place` in it, which makes it uniform over many vehicles. Without one, around two thirds
 * of the certificate's life, a twentieth of it either way. `place`: in [0, 1), drawn once a certificate.
 */
export function renewAt(life: Lifetime, place: number, window?: RenewalWindow): number {
  const length = Math.max(0, life.notAfter - life.receivedAt);
  if (!window) return life.receivedAt + length * (2 / 3 + (place - 0.5) / 10);
  const suggested = window.start + place * (window.end - window.start);
  return Math.min(
    Math.max(suggested, life.receivedAt + Math.min(SOONEST_MS, length / 100)),
    life.receivedAt + length * LATEST,
  );
}

/** No certificate, or a lapsed one: enrol with the factory certificate (again). At `at`, its renewal time: renew with itself. Times in ms. */
export function nextIdentityStep(life: Lifetime | undefined, at: number, now: number): IdentityStep {
  if (!life || now >= life.notAfter) return 'enrol';
  return now >= at ? 'renew' : 'keep';
}
