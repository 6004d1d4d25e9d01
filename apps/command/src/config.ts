import { configFile, serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

/** The command service's file: the common part, and the times of commands. All in seconds. */
export const Config = serviceConfig({
  defaultExpirySeconds: z
    .int()
    .min(10)
    .max(604_800)
    .describe('How long a command may wait for its vehicle when the operator does not say.'),
  defaultTimeoutSeconds: z
    .int()
    .min(1)
    .max(3600)
    .describe('How long a released command may stay without an outcome before it is `unknown`.'),
  idempotencySeconds: z.int().min(3600).describe('How long an Idempotency-Key answers the same.'),
  catalogue: z
    .strictObject({ folder: configFile('folder', 'A folder of files, one a command.') })
    .describe('The commands there are.'),
  maxOpenPerDevice: z.int().min(1).max(100_000).describe('How many commands may be open for one vehicle.'),
  batches: z
    .strictObject({
      approvalAbove: z
        .int()
        .min(0)
        .max(100_000)
        .describe('Up to how many vehicles one person alone may send to within the window.'),
      approvalWindowSeconds: z.int().min(60).max(604_800).describe('That window.'),
      maxDevices: z.int().min(1).max(100_000).describe('How many vehicles one batch may have.'),
    })
    .describe('Commands to many.'),
});
export type Config = z.infer<typeof Config>;
