import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';
import { ManufacturerName } from './manufacturer/manufacturer.js';

export const Config = serviceConfig({
  certificates: z.strictObject({
    /** Asked of fleet-ca for each fleet certificate; it clamps it to the profile. */
    lifetimeSeconds: z
      .int()
      .min(60)
      .max(30 * 86_400),
    /** How long the old certificate serves on after the first authenticated use of the new one. */
    overlapSeconds: z
      .int()
      .min(0)
      .max(7 * 86_400),
  }),
  /** Set at each start, beside what operators register: PEM files with the CA certificates that vouch for factory certificates. */
  manufacturers: z.array(z.strictObject({ name: ManufacturerName, caFile: z.string().min(1) })).max(100),
});
export type Config = z.infer<typeof Config>;
