import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

/** Records a second, and at once. No body that is taken at all (1,000 records) is more than a full bucket holds. */
const Rate = z.strictObject({
  perSecond: z.number().positive().describe('Records a second, in the long run.'),
  burst: z.int().min(1000).describe('Records at once.'),
});

export const Config = serviceConfig({
  skewSeconds: z
    .int()
    .min(1)
    .max(3600)
    .describe(
      "How far a message's `ts` may be from our clock, either way; outside it only an ordered offline log brings a record in.",
    ),
  maxQueuedRecords: z
    .int()
    .min(1)
    .max(1_000_000)
    .describe('Records that may wait for a commit; a request over it is answered 503 with Retry-After.'),
  maxQueuedRecordsPerDevice: z
    .int()
    .min(1)
    .max(1_000_000)
    .describe('Of these, what one device may have waiting; over it, it is answered 429.'),
  commitLagMs: z
    .int()
    .min(100)
    .max(60_000)
    .describe(
      'When every commit in flight is older than this, the database lags: nothing more is queued, 503 with Retry-After.',
    ),
  limits: z
    .strictObject({ device: Rate.describe('Of one device.'), fleet: Rate.describe('Of all of them together.') })
    .describe(
      'What may be sent to one instance by a device, and by all of them together; over it, 429 with Retry-After.',
    ),
  retentionDays: z
    .int()
    .min(1)
    .max(36_500)
    .nullable()
    .describe(
      'Whole days that a stored message is kept at least; a partition goes when the last of its times is older. Null: for ever. Put in force by `--migrate`, as the owner role: what runs cannot shorten it.',
    ),
});
export type Config = z.infer<typeof Config>;
