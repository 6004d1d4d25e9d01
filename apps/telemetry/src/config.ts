import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

export const Config = serviceConfig({
  /** How far a message's `ts` may be from our clock, either way; outside it only an ordered offline log brings a record in. */
  skewSeconds: z.int().min(1).max(3600),
  /** Records that may wait for a commit; a request over it is answered 503 with Retry-After. */
  maxQueuedRecords: z.int().min(1).max(1_000_000),
});
export type Config = z.infer<typeof Config>;
