import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

export const Config = serviceConfig({
  /** How far a message's `ts` may be from our clock, either way; outside it only an ordered offline log brings a record in. */
  skewSeconds: z.int().min(1).max(3600),
  /** Records that may wait for a commit; a request over it is answered 503 with Retry-After. */
  maxQueuedRecords: z.int().min(1).max(1_000_000),
  /**
   * Whole days that a stored message is kept at least; a partition goes when the last of its times is older. Null: for ever. Put in force by
   * `--migrate`, as the owner role: what runs cannot shorten it.
   */
  retentionDays: z.int().min(1).max(36_500).nullable(),
});
export type Config = z.infer<typeof Config>;
