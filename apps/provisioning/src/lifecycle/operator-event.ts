/** What operators report of a vehicle's life, and what each report means for its registry entry and its certificates. */
import { DomainError } from '@outrider/errors';
import { z } from 'zod';
import { Reason, Ticket } from '../history/history.js';
import type { LifecycleEvent } from './lifecycle.js';

export const OPERATOR_EVENTS = [
  'sale',
  'theft',
  'theft_ended',
  'workshop',
  'workshop_ended',
  'suspicion_ended',
  'scrapping',
  'ecu_swap',
] as const;
export type OperatorEvent = (typeof OPERATOR_EVENTS)[number];

export const OperatorEventBody = z.strictObject({
  event: z.enum(OPERATOR_EVENTS),
  reason: Reason,
  ticket: Ticket.optional(),
});
export type OperatorEventBody = z.infer<typeof OperatorEventBody>;

export const RetireBody = z.strictObject({
  reason: Reason.default('retired by an operator'),
  ticket: Ticket.optional(),
});
export type RetireBody = z.infer<typeof RetireBody>;

/** `certificates`: what becomes of those in force. `labels`: whose they are; another owner's say nothing of this one. */
interface Meaning {
  readonly kind: Exclude<LifecycleEvent['kind'], 'revoked'>;
  readonly certificates: 'stay' | 'end';
  readonly labels: 'stay' | 'clear';
}

const MEANING: Readonly<Record<Exclude<OperatorEvent, 'ecu_swap'>, Meaning>> = {
  sale: { kind: 'sold', certificates: 'end', labels: 'clear' },
  theft: { kind: 'theft_reported', certificates: 'stay', labels: 'stay' },
  theft_ended: { kind: 'theft_cleared', certificates: 'stay', labels: 'stay' },
  workshop: { kind: 'workshop_entered', certificates: 'stay', labels: 'stay' },
  workshop_ended: { kind: 'workshop_left', certificates: 'stay', labels: 'stay' },
  suspicion_ended: { kind: 'suspicion_cleared', certificates: 'stay', labels: 'stay' },
  // The id is denied for ever, and with it whatever certificate names it.
  scrapping: { kind: 'retired', certificates: 'stay', labels: 'stay' },
};

/** @throws DomainError `provisioning.order_required` */
export function meaningOf(event: OperatorEvent): Meaning {
  if (event !== 'ecu_swap') return MEANING[event];
  throw new DomainError('provisioning.order_required', { detail: 'POST /v1/devices/{id}/orders with kind ecu_swap' });
}
