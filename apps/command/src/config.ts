import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

/** The command service's file: the common part, and the times of commands. All in seconds. */
export const Config = serviceConfig({
  /** How long a command may wait for its vehicle when the operator does not say. */
  defaultExpirySeconds: z.int().min(10).max(604_800),
  /** How long a released command may stay without an outcome before it is `unknown`. */
  defaultTimeoutSeconds: z.int().min(1).max(3600),
  /** How long an Idempotency-Key answers the same. */
  idempotencySeconds: z.int().min(3600),
  /** The commands there are: a folder of files, one a command. */
  catalogue: z.strictObject({ folder: z.string().min(1) }),
  /** How many commands may be open for one vehicle. */
  maxOpenPerDevice: z.int().min(1).max(100_000),
  /** Commands to many: up to how many vehicles one person alone may send within a time, and how many one batch may have. */
  batches: z.strictObject({
    approvalAbove: z.int().min(0).max(100_000),
    approvalWindowSeconds: z.int().min(60).max(604_800),
    maxDevices: z.int().min(1).max(100_000),
  }),
});
export type Config = z.infer<typeof Config>;
