import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

/** Records a second, and at once. No body that is taken at all (1,000 records) is more than a full bucket holds. */
const Rate = z.strictObject({ perSecond: z.number().positive(), burst: z.int().min(1000) });

export const Config = serviceConfig({
  /** How far a message's `ts` may be from our clock, either way; outside it only an ordered offline log brings a record in. */
  skewSeconds: z.int().min(1).max(3600),
  /** Records that may wait for a commit; a request over it is answered 503 with Retry-After. */
  maxQueuedRecords: z.int().min(1).max(1_000_000),
  /** Of these, what one device may have waiting; over it, it is answered 429. */
  maxQueuedRecordsPerDevice: z.int().min(1).max(1_000_000),
  /** When every commit in flight is older than this, the database lags: nothing more is queued, 503 with Retry-After. */
  commitLagMs: z.int().min(100).max(60_000),
  /** What may be sent to one instance by a device, and by all of them together; over it, 429 with Retry-After. */
  limits: z.strictObject({ device: Rate, fleet: Rate }),
  /**
   * Whole days that a stored message is kept at least; a partition goes when the last of its times is older. Null: for ever. Put in force by
   * `--migrate`, as the owner role: what runs cannot shorten it.
   */
  retentionDays: z.int().min(1).max(36_500).nullable(),
});
export type Config = z.infer<typeof Config>;
