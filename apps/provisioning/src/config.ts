import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';
import { Labels } from './label/label.js';
import { ManufacturerName } from './manufacturer/manufacturer.js';

export const Config = serviceConfig({
  /** Under which policy a vehicle enrols, by the path it asks at; `default` is what routes without a label use. */
  labels: Labels,
  /** How often vehicles ask when to renew: the delay until they hear of a rotation, paid for in requests. */
  renewalInfo: z.strictObject({ pollSeconds: z.int().min(1).max(86_400) }),
  /** Enrolments that wait for an operator, at labels with `bootstrap: approve`. */
  approvals: z.strictObject({
    /** How long a request waits, an approval serves and a rejection holds. */
    pendingSeconds: z
      .int()
      .min(60)
      .max(30 * 86_400),
    /** What a vehicle is told to wait before it asks again. */
    retryAfterSeconds: z.int().min(1).max(3600),
    /** How many may wait at a time. */
    perDevice: z.int().min(1).max(100),
    perManufacturer: z.int().min(1).max(100_000),
  }),
  /** Set at each start, beside what operators register: PEM files with the CA certificates that vouch for factory certificates. */
  manufacturers: z.array(z.strictObject({ name: ManufacturerName, caFile: z.string().min(1) })).max(100),
});
export type Config = z.infer<typeof Config>;
