/** What ingest answers: a verdict for each record. */
import { z } from 'zod';
import { FetchOrderView } from '../offline-log/fetch-order-answers.js';
import { Windows } from '../window/window-answers.js';

export const TelemetryAnswer = z
  .strictObject({
    results: z.array(z.strictObject({ seq: z.int().nullable(), verdict: z.string(), code: z.string().optional() })),
    windows: Windows,
    accepted: z.int(),
    orders: z.array(FetchOrderView).optional(),
    receipt: z.string().optional(),
  })
  .meta({ id: 'TelemetryAnswer' });
