import { Thumbprint } from '@outrider/ids';
import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

const FilePath = z.string().min(1);
const Rate = z.strictObject({ perSecond: z.number().positive(), burst: z.int().min(1) });

export const Config = serviceConfig({
  /** How long the answer to a block waits for every instance to enforce it; what took longer is named in `pending`. */
  enforcementWaitMs: z.int().min(0).max(1500),
  /** The policies that a fleet starts with; an operator's change takes their place for good. */
  policies: z.strictObject({ folder: z.string().min(1) }),
  /** External authorization for APIs behind edge proxies (docs/protocols/edge.md). Absent: no edge is answered. */
  authorization: z
    .strictObject({
      listener: z.strictObject({
        host: z.string().min(1),
        port: z.int().min(1).max(65_535),
        /** PEM: leaf first, then its chain. */
        certificateFile: FilePath,
        keyFile: FilePath,
      }),
      /** Who may ask: SPIFFE ids or thumbprints of the proxies' certificates of the infrastructure CA. */
      edges: z.array(z.union([Thumbprint, z.string().startsWith('spiffe://').max(256)])).min(1),
      /** One JSON file an API, each with its rules. Looked at again every two seconds. */
      apisFolder: FilePath,
      /** 32 bytes or more in hex, the same for every replica. Absent: no DPoP proof is taken, and no route for control is open. */
      dpopNonceKeyFile: FilePath.optional(),
      /** Requests to one instance: of one vehicle, of all of one manufacturer's, from one network (an IPv4 address, an IPv6 /64). */
      limits: z.strictObject({ device: Rate, manufacturer: Rate, network: Rate }),
    })
    .optional(),
  /** How long the decision log keeps what it has; null: for ever. Put in force by `--migrate`. */
  decisions: z.strictObject({ retentionDays: z.int().min(1).max(36_500).nullable() }),
});
export type Config = z.infer<typeof Config>;
export type AuthorizationConfig = NonNullable<Config['authorization']>;
