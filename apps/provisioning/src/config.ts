import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';
import { Labels } from './label/label.js';
import { ManufacturerName } from './manufacturer/manufacturer.js';

export const Config = serviceConfig({
  /** Under which policy a vehicle enrols, by the path it asks at; `default` is what routes without a label use. */
  labels: Labels,
  /** Set at each start, beside what operators register: PEM files with the CA certificates that vouch for factory certificates. */
  manufacturers: z.array(z.strictObject({ name: ManufacturerName, caFile: z.string().min(1) })).max(100),
});
export type Config = z.infer<typeof Config>;
