/** How orders about devices look in answers. */
import { Instant, page } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { type Order, OrderKind, OrderState, stateOf } from './order.js';

export const DeviceOrder = z
  .strictObject({
    order_id: z.uuid(),
    device_id: DeviceId,
    kind: OrderKind,
    state: OrderState,
    reason: z.string(),
    evidence: z.string().optional(),
    ticket: z.string().optional(),
    factory: z.strictObject({ manufacturer: z.string(), serial_number: z.string() }).optional(),
    requested_by: z.string(),
    requested_at: Instant,
    expires_at: Instant,
    decided_by: z.string().optional(),
    decided_at: Instant.optional(),
    decision_reason: z.string().optional(),
    used_at: Instant.optional(),
  })
  .meta({ id: 'DeviceOrder' });
export type DeviceOrder = z.input<typeof DeviceOrder>;

export const DeviceOrderPage = page(DeviceOrder).meta({ id: 'DeviceOrderPage' });

/** The document of the operator API. `used_at`: when the device enrolled by it. */
export function orderDocument(order: Order, now: Date): DeviceOrder {
  const at = (date: Date | null) => date?.toISOString();
  const { factory } = order;
  const document = {
    order_id: order.orderId,
    device_id: order.deviceId,
    kind: order.kind,
    state: stateOf(order, now),
    reason: order.reason,
    evidence: order.evidence,
    ticket: order.ticket,
    factory: factory && { manufacturer: factory.manufacturer, serial_number: factory.serialNumber },
    requested_by: order.requestedBy,
    requested_at: at(order.requestedAt),
    expires_at: at(order.expiresAt),
    decided_by: order.decidedBy,
    decided_at: at(order.decidedAt),
    decision_reason: order.decisionReason,
    used_at: at(order.usedAt),
  };
  const said = Object.entries(document).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(said) as DeviceOrder;
}
