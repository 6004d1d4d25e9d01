import { configFile, serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';
import { Labels } from './label/label.js';
import { ManufacturerName } from './manufacturer/manufacturer.js';

export const Config = serviceConfig({
  labels: Labels.describe(
    'Under which policy a vehicle enrols, by the path it asks at; `default` is what routes without a label use.',
  ),
  renewalInfo: z
    .strictObject({ pollSeconds: z.int().min(1).max(86_400).describe('Seconds between two questions.') })
    .describe('How often vehicles ask when to renew: the delay until they hear of a rotation, paid for in requests.'),
  approvals: z
    .strictObject({
      pendingSeconds: z
        .int()
        .min(60)
        .max(30 * 86_400)
        .describe('How long a request waits, an approval serves and a rejection holds.'),
      retryAfterSeconds: z.int().min(1).max(3600).describe('What a vehicle is told to wait before it asks again.'),
      perDevice: z.int().min(1).max(100).describe('How many may wait of one device.'),
      perManufacturer: z.int().min(1).max(100_000).describe("How many may wait of one manufacturer's."),
    })
    .describe('Enrolments that wait for an operator, at labels with `bootstrap: approve`.'),
  manufacturers: z
    .array(
      z.strictObject({
        name: ManufacturerName.describe('As it stands in the registry.'),
        caFile: configFile('anchors', 'Vouches for its factory certificates.'),
      }),
    )
    .max(100)
    .describe(
      'Set at each start, beside what operators register: PEM files with the CA certificates that vouch for factory certificates.',
    ),
});
export type Config = z.infer<typeof Config>;
