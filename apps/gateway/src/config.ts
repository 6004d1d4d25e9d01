import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

export const Config = serviceConfig({
  /** How long the answer to a block waits for every instance to enforce it; what took longer is named in `pending`. */
  enforcementWaitMs: z.int().min(0).max(1500),
  /** The policies that a fleet starts with; an operator's change takes their place for good. */
  policies: z.strictObject({ folder: z.string().min(1) }),
  /** How long the decision log keeps what it has; null: for ever. Put in force by `--migrate`. */
  decisions: z.strictObject({ retentionDays: z.int().min(1).max(36_500).nullable() }),
});
export type Config = z.infer<typeof Config>;
