/** The token service's configuration: the common part, the key that seals its signing keys, and its other public URL. */
import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

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
  /** Public URL of the operator listener; `tokenIssuer` is that of the vehicle listener. No trailing slash. */
  operatorUrl: z.url().regex(/^https:\/\/.*[^/]$/, 'an https URL without a trailing slash'),
});
export type TokenConfig = z.infer<typeof TokenConfig>;
