/** What a fetch order is: the platform asks one vehicle, once, for a part of its log; and in which state it stands. */
import { type DeviceId, Epoch, SequenceNumber, StreamName } from '@outrider/ids';
import type { SequenceRange } from '@outrider/replay-window';
import { z } from 'zod';
import { DEFAULT_EPOCH, DEFAULT_STREAM } from '../ingest/telemetry-payload.js';
import { normalize, size } from './ranges.js';

export const OrderId = z.uuid().brand('OrderId');
export type OrderId = z.infer<typeof OrderId>;

/** An order is good for this long at most. */
export const MAX_VALID_SECONDS = 72 * 3600;
/** Numbers that one order asks for: what one transaction takes in. What is more is asked for by the next order. */
export const MAX_ORDER_NUMBERS = 20_000;
export const MAX_ORDER_RANGES = 32;
/** Open orders of a device: those that the platform issues by itself, and all with those of operators. */
export const MAX_OPEN_AUTOMATIC = 4;
export const MAX_OPEN = 16;
/** Logs that may be refused under one order before it is closed. */
export const MAX_REFUSALS = 5;

/** Why the platform asks by itself: numbers that never came; records that came too late for the live window; a vehicle said that it holds them. */
export const AUTOMATIC_REASONS = ['gap', 'too_late', 'held'] as const;
export type AutomaticReason = (typeof AUTOMATIC_REASONS)[number];

export interface FetchOrder {
  readonly deviceId: DeviceId;
  readonly id: OrderId;
  /** 32 random bytes, base64url. The vehicle signs it with what it delivers, so that no delivery answers two orders. */
  readonly nonce: string;
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly ranges: readonly SequenceRange[];
  /** One of the automatic ones, or an operator's words. */
  readonly reason: string;
  /** `platform`, or the operator's subject. */
  readonly issuedBy: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

/** How an order ended, once and for good. `by`: the platform or an operator. */
export interface OrderEnd {
  readonly how: 'fulfilled' | 'cancelled' | 'given_up';
  readonly at: Date;
  readonly by: string;
}

export type OrderState = 'open' | 'expired' | OrderEnd['how'];

export function orderState(order: FetchOrder, end: OrderEnd | undefined, now: Date): OrderState {
  if (end) return end.how;
  return now < order.expiresAt ? 'open' : 'expired';
}

const Range = z.tuple([SequenceNumber, SequenceNumber]).refine(([from, to]) => from <= to, 'from is above to');
export const Ranges = z
  .array(Range)
  .min(1)
  .max(MAX_ORDER_RANGES)
  .transform((ranges) => normalize(ranges.map(([from, to]): SequenceRange => [from, to])));

/** An operator's order. Stream and epoch as in a message: `main` and 0 unless said. */
export const OrderRequest = z.strictObject({
  stream: StreamName.default(DEFAULT_STREAM),
  epoch: Epoch.default(DEFAULT_EPOCH),
  ranges: Ranges.refine((ranges) => size(ranges) <= MAX_ORDER_NUMBERS, `more than ${MAX_ORDER_NUMBERS} numbers`),
  reason: z.string().trim().min(1).max(500),
  validSeconds: z.int().min(60).max(MAX_VALID_SECONDS).default(MAX_VALID_SECONDS),
});
export type OrderRequest = z.output<typeof OrderRequest>;

/** A vehicle says which numbers it holds and could not deliver. */
export const HeldRequest = z.strictObject({
  stream: StreamName.default(DEFAULT_STREAM),
  epoch: Epoch.default(DEFAULT_EPOCH),
  held: Ranges,
});
export type HeldRequest = z.output<typeof HeldRequest>;

/** As its vehicle is told of it. */
export interface OrderView {
  readonly id: OrderId;
  readonly nonce: string;
  readonly stream: string;
  readonly epoch: number;
  readonly ranges: readonly SequenceRange[];
  readonly reason: string;
  readonly expires_at: string;
}

export function orderView({ id, nonce, stream, epoch, ranges, reason, expiresAt }: FetchOrder): OrderView {
  return { id, nonce, stream, epoch, ranges, reason, expires_at: expiresAt.toISOString() };
}

/** As operators see it. */
export function orderDocument(order: FetchOrder, end: OrderEnd | undefined, now: Date) {
  return {
    ...orderView(order),
    device_id: order.deviceId,
    state: orderState(order, end, now),
    issued_by: order.issuedBy,
    issued_at: order.issuedAt.toISOString(),
    ended_at: end?.at.toISOString() ?? null,
    ended_by: end?.by ?? null,
  };
}
