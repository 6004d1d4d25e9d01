import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

export const Config = serviceConfig({
  authorities: z.strictObject({
    /** `authorities.json` in the CA folder; looked at every two seconds. */
    manifestFile: z.string().min(1),
    /** Opens every CA key that is a file; read once, at start. */
    passphraseFile: z.string().min(1),
    /** Where the keys are that the manifest says are in a token. */
    pkcs11: z
      .strictObject({
        /** The library of the token, e.g. `/usr/lib/softhsm/libsofthsm2.so`. */
        module: z.string().min(1),
        tokenLabel: z.string().min(1).max(32),
        pinFile: z.string().min(1),
      })
      .optional(),
  }),
  profiles: z.strictObject({
    /** The profiles that certificates are signed by here; any other is unknown. Lifetimes, keys and usages stand in the profiles. */
    offered: z.array(z.string().min(1)).min(1),
    /** Further profiles of leaves, one `<name>.json` each, in the form of `libs/x509/src/profiles`. */
    folder: z.string().min(1).optional(),
  }),
  crl: z.strictObject({
    /** Without a trailing slash; `/<shard>.crl` follows. Plain http: RFC 5280 §4.2.1.13 and §8. */
    baseUrl: z.string().regex(/^http:\/\/[^\s]{1,180}[^/\s]$/, 'a plain http URL without a trailing slash'),
    /** Fixed for the life of the certificates that name a shard. */
    shardCount: z.int().min(1).max(65_536),
  }),
  ocspUrl: z.string().regex(/^http:\/\/[^\s]{1,190}$/, 'a plain http URL'),
  /** How far a request's `iat` may be from now. */
  requestMaxAgeSeconds: z.int().min(5).max(300),
}).refine(
  ({ listeners }) => listeners.vehicle === undefined && listeners.operator === undefined,
  'fleet-ca has no listener but that of health and metrics: it is asked over NATS',
);
export type Config = z.infer<typeof Config>;
