/** The token service's configuration: the common part, the key that seals its signing keys, and its other public URL. */
import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

const ORIGIN = /^https?:\/\/[^/?#]+$/;

export const TokenConfig = serviceConfig({
  signingKeys: z
    .strictObject({
      /** 32 bytes in hex or base64, the same for every replica: seals the signing keys in the database. */
      encryptionKeyFile: z.string().min(1),
      /** How long one key signs. */
      signSeconds: z
        .int()
        .min(3600)
        .max(366 * 86_400),
      /** How long a key is published before it signs: longer than `max-age` of the key set, and than verifiers go without asking (5 minutes). */
      publishSeconds: z.int().min(360).max(86_400),
    })
    .refine(({ signSeconds, publishSeconds }) => signSeconds > publishSeconds, 'signSeconds > publishSeconds'),
  /** APIs of the platform's own behind edges (docs/protocols/edge.md): what their tokens are for, and the scopes that vehicles may ask for there. */
  apis: z
    .array(
      z.strictObject({
        audience: z.string().regex(/^urn:outrider:[a-z-]{1,32}$/),
        scopes: z
          .array(z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,64}$/))
          .min(1)
          .max(32),
      }),
    )
    .max(100)
    .default([]),
  /** How people sign in. */
  people: z.strictObject({
    webauthn: z.strictObject({
      /** A domain: the origins' host, or one above it. */
      rpId: z.string().min(1),
      rpName: z.string().min(1),
      origins: z.array(z.url().regex(ORIGIN, 'an origin: scheme, host, port')).min(1),
    }),
    /** The enterprise's identity provider; without it nobody signs in there. */
    oidc: z
      .strictObject({
        issuer: z.url().regex(/^(?:https:\/\/|http:\/\/(?:127\.0\.0\.1|localhost)[:/])/, 'https, beyond this machine'),
        clientId: z.string().min(1),
        clientSecretFile: z.string().min(1),
        redirectUri: z.url(),
        scope: z.string().regex(/^openid(?: |$)/, 'openid first'),
        /** Seconds that a sign-in at the provider may be old. */
        maxAgeSeconds: z.int().min(1).max(86_400),
        /** Asked for; what the provider then gives counts by the next two. */
        acrValues: z.array(z.string().min(1)),
        /** `acr` and `amr` by which this provider vouches for two factors. */
        mfaAcr: z.array(z.string().min(1)),
        mfaAmr: z.array(z.string().min(1)),
      })
      .optional(),
  }),
  /** Public URL of the operator listener; `tokenIssuer` is that of the vehicle listener. No trailing slash. */
  operatorUrl: z.url().regex(/^https:\/\/.*[^/]$/, 'an https URL without a trailing slash'),
});
export type TokenConfig = z.infer<typeof TokenConfig>;
