/** The token service's configuration: the common part, the key that seals its signing keys, and its other public URL. */
import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

export const TokenConfig = serviceConfig({
  signingKeys: z.strictObject({
    /** 32 bytes in hex or base64, the same for every replica: seals the signing keys in the database. */
    encryptionKeyFile: z.string().min(1),
  }),
  /** Public URL of the operator listener; `tokenIssuer` is that of the vehicle listener. No trailing slash. */
  operatorUrl: z.url().regex(/^https:\/\/.*[^/]$/, 'an https URL without a trailing slash'),
});
export type TokenConfig = z.infer<typeof TokenConfig>;
