/** What a vehicle is told of the logs that it brings. */
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { OrderId } from './fetch-order.js';

export const LogUpload = z
  .strictObject({
    upload: z.string(),
    order: OrderId,
    state: z.enum(['open', 'accepted', 'refused']),
    received: z.int(),
    max_segment_bytes: z.int(),
  })
  .meta({ id: 'LogUpload' });

export const LogAccepted = z
  .strictObject({
    order: z.string(),
    device_id: DeviceId,
    verdict: z.literal('accepted'),
    counts: z.strictObject({
      accepted: z.int(),
      duplicate: z.int(),
      replayed: z.int(),
      outside: z.int(),
      unanchored: z.int(),
    }),
    results: z.array(
      z.strictObject({
        stream: z.string(),
        epoch: z.int(),
        from: z.int(),
        to: z.int(),
        verdict: z.enum(['accepted', 'duplicate', 'replayed', 'outside']),
      }),
    ),
    absent: z.array(z.tuple([z.int(), z.int()])),
    segments: z.array(
      z.strictObject({
        segment: z.int(),
        thumbprint: z.string(),
        signer: z.enum(['live', 'superseded', 'revoked', 'expired']),
        standing: z.enum(['trusted', 'unanchored']),
      }),
    ),
  })
  .meta({ id: 'LogAccepted' });

export const HeadKnown = z.strictObject({ segment: z.int(), known: z.boolean() }).meta({ id: 'HeadKnown' });
