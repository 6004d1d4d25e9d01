/** Replay windows as vehicles are told of them. */
import { z } from 'zod';
import { FetchOrderView } from '../offline-log/fetch-order-answers.js';

export const Windows = z.array(
  z
    .strictObject({
      stream: z.string(),
      epoch: z.int(),
      highest: z.int(),
      missing: z.array(z.tuple([z.int(), z.int()])),
      minEpoch: z.int(),
    })
    .meta({ id: 'ReplayWindow' }),
);

export const WindowAnswer = z
  .strictObject({ windows: Windows, orders: z.array(FetchOrderView).optional() })
  .meta({ id: 'WindowAnswer' });
