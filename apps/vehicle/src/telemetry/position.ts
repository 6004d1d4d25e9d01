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
 * `window`: the platform's for this stream, in the highest epoch it knows or asks for; undefined when it knows none. An epoch in which the
 * platform has nothing yet is taken up. A platform that has more than the vehicle ever gave out means that the vehicle's state was lost or
 * restored: going on would use numbers twice, so the epoch is raised by one instead.
 */
export function continuation(
  own: Position,
  window: Pick<Window, 'epoch' | 'highest' | 'minEpoch'> | undefined,
): Continuation {
  if (!window) return { kind: 'go_on' };
  const present = Math.max(window.epoch, window.minEpoch);
  if (present < own.epoch) return { kind: 'go_on' };
  const used = window.epoch === present ? window.highest : 0;
  if (present > own.epoch && used === 0) return { kind: 'raise', epoch: present, why: 'platform_asks' };
  const lost = present > own.epoch || used >= own.nextSeq;
  return lost ? { kind: 'raise', epoch: present + 1, why: 'state_lost' } : { kind: 'go_on' };
}
