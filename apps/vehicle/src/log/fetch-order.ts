/** Reads the platform's fetch orders: a part of this vehicle's log that it wants, by id and nonce. */
import { z } from 'zod';

export const FetchOrder = z.object({
  id: z.uuid(),
  nonce: z.string().min(1).max(64),
  stream: z.string(),
  epoch: z.int().min(0),
  /** Both ends included. */
  ranges: z.array(z.tuple([z.int(), z.int()])).min(1),
  reason: z.string(),
  expires_at: z.iso.datetime(),
});
export type FetchOrder = z.infer<typeof FetchOrder>;

/** The `orders` of an answer; one that cannot be read is as good as none, and comes again. */
export const FetchOrders = z.array(z.unknown()).transform((items) =>
  items.flatMap((item) => {
    const order = FetchOrder.safeParse(item);
    return order.success ? [order.data] : [];
  }),
);

export function ordersOf(body: string): readonly FetchOrder[] {
  try {
    return z.object({ orders: FetchOrders }).safeParse(JSON.parse(body)).data?.orders ?? [];
  } catch {
    return [];
  }
}
