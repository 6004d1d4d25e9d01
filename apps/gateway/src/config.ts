import { Thumbprint } from '@outrider/ids';
import { configFile, serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

const Rate = z.strictObject({
  perSecond: z.number().positive().describe('Requests a second, in the long run.'),
  burst: z.int().min(1).describe('Requests at once.'),
});

export const Config = serviceConfig({
  enforcementWaitMs: z
    .int()
    .min(0)
    .max(1500)
    .describe(
      'How long the answer to a block waits for every instance to enforce it; what took longer is named in `pending`.',
    ),
  policies: z
    .strictObject({ folder: configFile('folder', 'As they came with the product.') })
    .describe("The policies that a fleet starts with; an operator's change takes their place for good."),
  authorization: z
    .strictObject({
      listener: z
        .strictObject({
          host: z.string().min(1).describe('The address to listen on.'),
          port: z.int().min(1).max(65_535).describe('The port to listen on.'),
          certificateFile: configFile('certificate', 'Shown to edges.'),
          keyFile: configFile('key', 'Of that certificate.'),
        })
        .describe('mTLS, for edges alone.'),
      edges: z
        .array(z.union([Thumbprint, z.string().startsWith('spiffe://').max(256)]))
        .min(1)
        .describe("Who may ask: SPIFFE ids or thumbprints of the proxies' certificates of the infrastructure CA."),
      apisFolder: configFile('folder', 'One JSON file an API, each with its rules. Looked at again every two seconds.'),
      dpopNonceKeyFile: configFile(
        'hex-key',
        'The same for every replica, of one or several lines as `nonceKeyFile`. Absent: no DPoP proof is taken, and no route for control is open.',
      ).optional(),
      limits: z
        .strictObject({
          device: Rate.describe('Of one vehicle.'),
          manufacturer: Rate.describe("Of all of one manufacturer's."),
          network: Rate.describe('From one network.'),
        })
        .describe(
          "Requests to one instance: of one vehicle, of all of one manufacturer's, from one network (an IPv4 address, an IPv6 /64).",
        ),
    })
    .optional()
    .describe(
      'External authorization for APIs behind edge proxies (docs/protocols/edge.md). Absent: no edge is answered.',
    ),
  decisions: z
    .strictObject({
      retentionDays: z
        .int()
        .min(1)
        .max(36_500)
        .nullable()
        .describe('Days that a decision is kept; null: for ever. Put in force by `--migrate`.'),
    })
    .describe('The decision log.'),
});
export type Config = z.infer<typeof Config>;
export type AuthorizationConfig = NonNullable<Config['authorization']>;
