/** Decides where a vehicle's stream goes on, from its own position and the platform's window. */
import type { Window } from './answer.js';

/** `nextSeq`: the number the next record takes. */
export interface Position {
  readonly epoch: number;
  readonly nextSeq: number;
}

export type Continuation =
  | { readonly kind: 'go_on' }
  /** A new epoch from sequence number 1; records still queued under the old one become `held`. */
  | { readonly kind: 'raise'; readonly epoch: number; readonly why: 'platform_asks' | 'state_lost' };

/**
 * `window`: the platform's for this stream; undefined when it knows none. The platform's `minEpoch` is followed. A platform that is ahead
 * of the vehicle means that the vehicle's state was lost or restored: going on would reuse numbers, so the epoch is raised by one instead.
 */
export function continuation(own: Position, window: Window | undefined): Continuation {
  if (!window) return { kind: 'go_on' };
  const lost = window.epoch > own.epoch || (window.epoch === own.epoch && window.highest >= own.nextSeq);
  const epoch = lost ? Math.max(window.epoch + 1, window.minEpoch) : Math.max(own.epoch, window.minEpoch);
  if (epoch === own.epoch) return { kind: 'go_on' };
  return { kind: 'raise', epoch, why: lost ? 'state_lost' : 'platform_asks' };
}
