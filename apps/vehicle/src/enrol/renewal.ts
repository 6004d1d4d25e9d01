/** Decides when a vehicle enrols, renews, or goes on with the certificate it has. */

/** Milliseconds since the epoch. `receivedAt`: when the vehicle got it; `notBefore` is back-dated and says nothing about its age. */
export interface Lifetime {
  readonly receivedAt: number;
  readonly notAfter: number;
}

export type IdentityStep = 'enrol' | 'renew' | 'keep';

/** Around two thirds of the certificate's life, a twentieth of it either way by `jitter` in [0, 1): a fleet made together renews apart. */
export function renewAt(life: Lifetime, jitter: number): number {
  const length = Math.max(0, life.notAfter - life.receivedAt);
  return life.receivedAt + length * (2 / 3 + (jitter - 0.5) / 10);
}

/** No certificate, or a lapsed one: enrol with the factory certificate (again). Past its renewal time: renew with itself. Times in ms. */
export function nextIdentityStep(life: Lifetime | undefined, jitter: number, now: number): IdentityStep {
  if (!life || now >= life.notAfter) return 'enrol';
  return now >= renewAt(life, jitter) ? 'renew' : 'keep';
}
