/** What a person is told of their own factors. */
import { Instant } from '@outrider/contracts';
import { z } from 'zod';

export const Person = z
  .strictObject({
    username: z.string(),
    roles: z.array(z.string()),
    factors: z.strictObject({ totp: z.boolean(), webauthn: z.int(), recovery_codes: z.int() }),
    webauthn_keys: z.array(
      z.strictObject({ id: z.string(), name: z.string(), created_at: Instant, used_at: Instant.nullable() }),
    ),
  })
  .meta({ id: 'Person' });

export const TotpSecret = z.strictObject({ secret: z.string(), uri: z.string() }).meta({ id: 'TotpSecret' });
export const RecoveryCodes = z.strictObject({ codes: z.array(z.string()) }).meta({ id: 'RecoveryCodes' });

/** What `navigator.credentials.create` takes, as JSON. */
export const WebAuthnCreation = z
  .looseObject({
    challenge: z.string(),
    rp: z.looseObject({ name: z.string() }),
    user: z.looseObject({ id: z.string(), name: z.string(), displayName: z.string() }),
  })
  .meta({ id: 'WebAuthnCreation' });
