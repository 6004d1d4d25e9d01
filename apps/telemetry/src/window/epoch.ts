/** Decides whether a record's epoch is the device's present one, a raise that the device may make, or neither. */

/** A device raises its epoch by one at most this often. */
export const RAISE_INTERVAL_MS = 3_600_000;

/** `minEpoch`: set by the platform; below it nothing is taken. `raisedAtMs`: when the device last raised by itself. */
export interface EpochState {
  readonly epoch: number;
  readonly minEpoch: number;
  readonly raisedAtMs: number | undefined;
}

/**
 * `current`: the device's epoch. `ordered`: the platform's minEpoch, taken up. `raised`: one further by the device's own wish, an alert.
 * `stale`: over. `refused`: ahead by more than one, or too soon after the last raise.
 */
export type EpochDecision = 'current' | 'ordered' | 'raised' | 'stale' | 'refused';

export function decideEpoch(state: EpochState, epoch: number, nowMs: number): EpochDecision {
  const present = Math.max(state.epoch, state.minEpoch);
  if (epoch < present) return 'stale';
  if (epoch === present) return state.epoch === present ? 'current' : 'ordered';
  const tooSoon = state.raisedAtMs !== undefined && nowMs - state.raisedAtMs < RAISE_INTERVAL_MS;
  return epoch === present + 1 && !tooSoon ? 'raised' : 'refused';
}
