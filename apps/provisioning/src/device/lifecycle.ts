/** The lifecycle of a device: which state follows which, and for what reason (DESIGN §3). */
import type { DeviceState, RevocationReason } from '@outrider/contracts';
import type { z } from 'zod';

export type Reason = z.infer<typeof RevocationReason>;

export type LifecycleEvent =
  | { readonly kind: 'enrolled' }
  | { readonly kind: 'blocked' }
  /** `everEnrolled`: whether it ever held a fleet certificate; one that did not goes back to where it was. */
  | { readonly kind: 'unblocked'; readonly everEnrolled: boolean }
  | { readonly kind: 'revoked'; readonly reason: Reason }
  | { readonly kind: 'retired' };

/** The state after the event; the same state where the event changes nothing; undefined where it may not happen in this state. */
export function transition(state: DeviceState, event: LifecycleEvent): DeviceState | undefined {
  if (state === 'retired') return event.kind === 'enrolled' ? undefined : 'retired';
  switch (event.kind) {
    case 'enrolled':
      return state === 'registered' || state === 'active' ? 'active' : undefined;
    case 'blocked':
      return state === 'awaiting_recovery' ? state : 'quarantined';
    case 'unblocked':
      if (state !== 'quarantined') return state;
      return event.everEnrolled ? 'active' : 'registered';
    case 'revoked':
      // A hold is what RFC 5280 calls a block; from anything else only an approved recovery order leads back.
      return event.reason === 'certificateHold' && state !== 'awaiting_recovery' ? 'quarantined' : 'awaiting_recovery';
    case 'retired':
      return 'retired';
  }
}
