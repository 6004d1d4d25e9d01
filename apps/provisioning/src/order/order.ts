/** Orders that need a second operator: what may be asked for, and who may decide it until when. */
import type { DeviceState } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { FactorySerialNumber } from '../device/device.js';
import { Reason, Ticket } from '../history/history.js';
import type { LifecycleEvent } from '../lifecycle/lifecycle.js';
import { ManufacturerName } from '../manufacturer/manufacturer.js';

export const OrderKind = z.enum(['recovery', 'reinstate', 'ecu_swap']);
export type OrderKind = z.infer<typeof OrderKind>;

/** `expired`: nobody decided in time. */
export const OrderState = z.enum(['pending', 'approved', 'rejected', 'expired']);
export type OrderState = z.infer<typeof OrderState>;

/** How long a second operator has. */
export const ORDER_HOURS = 24;

const FactoryIdentity = z.strictObject({ manufacturer: ManufacturerName, serial_number: FactorySerialNumber });

/** `evidence`: text, or a reference to what the first operator saw of the hardware; there is no attestation yet. `factory`: the new hardware's. */
export const OrderBody = z
  .strictObject({
    kind: OrderKind,
    reason: Reason,
    evidence: z.string().trim().min(1).max(2000).optional(),
    ticket: Ticket.optional(),
    factory: FactoryIdentity.optional(),
  })
  .refine(
    ({ kind, factory }) => (kind === 'ecu_swap') === (factory !== undefined),
    'factory: with ecu_swap, and only with it',
  );
export type OrderBody = z.infer<typeof OrderBody>;

export const DecisionBody = z.strictObject({ reason: Reason.optional() });
export type DecisionBody = z.infer<typeof DecisionBody>;

export const OrderQuery = z.strictObject({
  state: OrderState.optional(),
  device: DeviceId.optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: z
    .string()
    .transform((cursor) => Buffer.from(cursor, 'base64url').toString('latin1'))
    .pipe(z.string().regex(/^\d{1,15}\.[0-9a-f-]{36}$/))
    .optional(),
});
export type OrderQuery = z.infer<typeof OrderQuery>;

export interface Order {
  readonly orderId: string;
  readonly deviceId: DeviceId;
  readonly kind: OrderKind;
  readonly state: OrderState;
  readonly reason: string;
  readonly evidence: string | null;
  readonly ticket: string | null;
  readonly factory: { readonly manufacturer: string; readonly serialNumber: string } | null;
  readonly requestedBy: string;
  readonly requestedAt: Date;
  readonly expiresAt: Date;
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
  readonly decisionReason: string | null;
  readonly usedAt: Date | null;
}

/** A new order. @throws DomainError `provisioning.evidence_required` where the hardware itself is the question */
export function requestOrder(
  deviceId: DeviceId,
  body: OrderBody,
  { orderId, who, now }: { readonly orderId: string; readonly who: string; readonly now: Date },
): Order {
  const { kind, reason, evidence, ticket, factory } = body;
  if (kind !== 'recovery' && evidence === undefined) throw new DomainError('provisioning.evidence_required');
  return {
    orderId,
    deviceId,
    kind,
    state: 'pending',
    reason,
    evidence: evidence ?? null,
    ticket: ticket ?? null,
    factory: factory ? { manufacturer: factory.manufacturer, serialNumber: factory.serial_number } : null,
    requestedBy: who,
    requestedAt: now,
    expiresAt: new Date(now.getTime() + ORDER_HOURS * 3_600_000),
    decidedBy: null,
    decidedAt: null,
    decisionReason: null,
    usedAt: null,
  };
}

/** What the stored order is by now. */
export function stateOf({ state, expiresAt }: Pick<Order, 'state' | 'expiresAt'>, now: Date): OrderState {
  return state === 'pending' && expiresAt <= now ? 'expired' : state;
}

/**
 * Once, in time, by somebody else.
 * @throws DomainError `provisioning.order_closed`, `provisioning.order_same_operator`
 */
export function decide(
  order: Order,
  verdict: 'approved' | 'rejected',
  { who, reason, now }: { readonly who: string; readonly reason: string | undefined; readonly now: Date },
): Order {
  const state = stateOf(order, now);
  if (state !== 'pending') throw new DomainError('provisioning.order_closed', { detail: `it is ${state}` });
  if (who === order.requestedBy) throw new DomainError('provisioning.order_same_operator');
  return { ...order, state: verdict, decidedBy: who, decidedAt: now, decisionReason: reason ?? null };
}

/**
 * What came after the order was asked for, it knew nothing of: approving it must not lift that too.
 * @throws DomainError `provisioning.state_conflict`
 */
export function requireKnown(
  { requestedAt }: Pick<Order, 'requestedAt'>,
  { revokedAt, blockChangedAt }: { readonly revokedAt: Date | null; readonly blockChangedAt: Date | null },
): void {
  const since = (at: Date | null) => at !== null && at > requestedAt;
  const what = since(revokedAt) ? 'revoked' : since(blockChangedAt) ? 'blocked or unblocked' : undefined;
  if (what === undefined) return;
  throw new DomainError('provisioning.state_conflict', {
    detail: `it was ${what} after the order was asked for: ask for another`,
  });
}

const EVENT = { recovery: 'recovered', reinstate: 'reinstated', ecu_swap: 'ecu_swapped' } as const;

export function eventOf(kind: OrderKind): LifecycleEvent {
  return { kind: EVENT[kind] };
}

/** Whether the order undoes what revocation and gateway hold against the device: only where it was out of service. */
export function recovers(before: DeviceState): boolean {
  return before === 'awaiting_recovery' || before === 'retired' || before === 'quarantined';
}

export function orderCursor({ requestedAt, orderId }: Order): string {
  return Buffer.from(`${requestedAt.getTime()}.${orderId}`, 'latin1').toString('base64url');
}
