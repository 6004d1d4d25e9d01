import { configFile, serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

export const Config = serviceConfig({
  authorities: z
    .strictObject({
      manifestFile: configFile('plain', '`authorities.json` in the CA folder; looked at every two seconds.'),
      passphraseFile: configFile('secret', 'Opens every CA key that is a file; read whenever one is opened.'),
      pkcs11: z
        .strictObject({
          module: configFile('plain', 'The library of the token, e.g. `/usr/lib/softhsm/libsofthsm2.so`.'),
          tokenLabel: z.string().min(1).max(32).describe('Which token.'),
          pinFile: configFile('secret', 'The PIN of its user; read whenever a session is opened.'),
        })
        .optional()
        .describe('Where the keys are that the manifest says are in a token.'),
    })
    .describe('The CAs and their keys.'),
  profiles: z
    .strictObject({
      offered: z
        .array(z.string().min(1))
        .min(1)
        .describe(
          'The profiles that certificates are signed by here; any other is unknown. Lifetimes, keys and usages stand in the profiles.',
        ),
      folder: configFile(
        'folder',
        'Further profiles of leaves, one `<name>.json` each, in the form of `libs/x509/src/profiles`.',
      ).optional(),
    })
    .describe('What may be signed.'),
  crl: z
    .strictObject({
      baseUrl: z
        .string()
        .regex(/^http:\/\/[^\s]{1,180}[^/\s]$/, 'a plain http URL without a trailing slash')
        .describe('Without a trailing slash; `/<shard>.crl` follows. Plain http: RFC 5280 §4.2.1.13 and §8.'),
      shardCount: z.int().min(1).max(65_536).describe('Fixed for the life of the certificates that name a shard.'),
    })
    .describe('What certificates say of their lists.'),
  ocspUrl: z
    .string()
    .regex(/^http:\/\/[^\s]{1,190}$/, 'a plain http URL')
    .describe('What certificates say of OCSP; plain http.'),
  serviceRenewal: z
    .strictObject({
      lifetimeSeconds: z
        .int()
        .min(3600)
        .max(7_776_000)
        .describe(
          "Of each certificate; they are renewed at two thirds of that. The infrastructure CA's own end is an end to it too.",
        ),
    })
    .optional()
    .describe(
      "Services (`identity.renewal: self`) have their own certificates renewed here. Only with it does this process open the infrastructure CA's key; without it that key is kept offline, for the ceremony alone.",
    ),
  requestMaxAgeSeconds: z.int().min(5).max(300).describe("How far a request's `iat` may be from now."),
}).refine(
  ({ listeners }) => listeners.vehicle === undefined && listeners.operator === undefined,
  'fleet-ca has no listener but that of health and metrics: it is asked over NATS',
);
export type Config = z.infer<typeof Config>;
