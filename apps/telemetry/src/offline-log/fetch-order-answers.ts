/** How fetch orders look in answers. */
import { Instant } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { OrderId } from './fetch-order.js';

const order = {
  id: OrderId,
  nonce: z.string(),
  stream: z.string(),
  epoch: z.int(),
  ranges: z.array(z.tuple([z.int(), z.int()])),
  reason: z.string(),
  expires_at: Instant,
} as const;

/** As a vehicle sees it. */
export const FetchOrderView = z.strictObject(order).meta({ id: 'FetchOrderView' });
export const OpenFetchOrders = z.strictObject({ orders: z.array(FetchOrderView) }).meta({ id: 'OpenFetchOrders' });

export const FetchOrder = z
  .strictObject({
    ...order,
    device_id: DeviceId,
    state: z.enum(['open', 'fulfilled', 'expired', 'cancelled', 'given_up']),
    issued_by: z.string(),
    issued_at: Instant,
    ended_at: Instant.nullable(),
    ended_by: z.string().nullable(),
  })
  .meta({ id: 'FetchOrder' });

export const FetchOrderList = z
  .strictObject({ items: z.array(FetchOrder), next: z.null() })
  .meta({ id: 'FetchOrderList' });
