/** The token service's configuration: the common part, the key that seals its signing keys, and its other public URL. */
import { configFile, serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

const ORIGIN = /^https?:\/\/[^/?#]+$/;

export const TokenConfig = serviceConfig({
  signingKeys: z
    .strictObject({
      encryptionKeyFile: configFile(
        'secret',
        '32 bytes in hex or base64, the same for every replica: seals the signing keys and the secrets of authenticator apps in the database. Of several lines the first seals and all of them open (docs/runbooks/token-key-encryption.md). Followed while running.',
      ),
      signSeconds: z
        .int()
        .min(3600)
        .max(366 * 86_400)
        .describe('How long one key signs.'),
      publishSeconds: z
        .int()
        .min(360)
        .max(86_400)
        .describe(
          'How long a key is published before it signs: longer than `max-age` of the key set, and than verifiers go without asking (5 minutes).',
        ),
    })
    .refine(({ signSeconds, publishSeconds }) => signSeconds > publishSeconds, 'signSeconds > publishSeconds')
    .describe('The keys that sign access tokens.'),
  apis: z
    .array(
      z.strictObject({
        audience: z
          .string()
          .regex(/^urn:outrider:[a-z-]{1,32}$/)
          .describe('What its tokens are for.'),
        scopes: z
          .array(z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,64}$/))
          .min(1)
          .max(32)
          .describe('What vehicles may ask for there.'),
      }),
    )
    .max(100)
    .default([])
    .describe(
      "APIs of the platform's own behind edges (docs/protocols/edge.md): what their tokens are for, and the scopes that vehicles may ask for there.",
    ),
  people: z
    .strictObject({
      webauthn: z
        .strictObject({
          rpId: z.string().min(1).describe("A domain: the origins' host, or one above it."),
          rpName: z.string().min(1).describe('What a person is shown.'),
          origins: z
            .array(z.url().regex(ORIGIN, 'an origin: scheme, host, port'))
            .min(1)
            .describe('Where the pages are that sign in.'),
        })
        .describe('Security keys and passkeys.'),
      oidc: z
        .strictObject({
          issuer: z
            .url()
            .regex(/^(?:https:\/\/|http:\/\/(?:127\.0\.0\.1|localhost)[:/])/, 'https, beyond this machine')
            .describe('Its issuer identifier; https beyond this machine.'),
          clientId: z.string().min(1).describe('As it knows us.'),
          clientSecretFile: configFile('secret', 'What we prove that by; read anew when it changes.'),
          redirectUri: z.url().describe('Where it sends people back to.'),
          scope: z
            .string()
            .regex(/^openid(?: |$)/, 'openid first')
            .describe('What is asked for; `openid` first.'),
          maxAgeSeconds: z.int().min(1).max(86_400).describe('Seconds that a sign-in at the provider may be old.'),
          acrValues: z
            .array(z.string().min(1))
            .describe('Asked for; what the provider then gives counts by the next two.'),
          mfaAcr: z.array(z.string().min(1)).describe('`acr` by which this provider vouches for two factors.'),
          mfaAmr: z.array(z.string().min(1)).describe('`amr` by which it does.'),
        })
        .optional()
        .describe("The enterprise's identity provider; without it nobody signs in there."),
    })
    .describe('How people sign in.'),
  operatorUrl: z
    .url()
    .regex(/^https:\/\/.*[^/]$/, 'an https URL without a trailing slash')
    .describe('Public URL of the operator listener; `tokenIssuer` is that of the vehicle listener. No trailing slash.'),
});
export type TokenConfig = z.infer<typeof TokenConfig>;
