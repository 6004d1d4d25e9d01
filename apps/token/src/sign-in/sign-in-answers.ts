/** What a sign-in answers: what to show next, or a token. */
import { z } from 'zod';

const token = {
  access_token: z.string(),
  token_type: z.enum(['Bearer', 'DPoP']),
  expires_in: z.int(),
  scope: z.string(),
  refresh_token: z.string().optional(),
} as const;

export const SignedIn = z
  .strictObject({ ...token, next: z.array(z.literal('enrol')), device_token: z.string().optional() })
  .meta({ id: 'SignedIn' });

export const SignInStep = z
  .union([
    z.strictObject({
      sign_in_id: z.uuid(),
      next: z.array(z.enum(['webauthn', 'totp', 'recovery_code'])),
      expires_in: z.int(),
    }),
    SignedIn,
  ])
  .meta({ id: 'SignInStep' });

/** What `navigator.credentials.get` takes, as JSON. */
export const WebAuthnRequest = z
  .looseObject({ challenge: z.string(), rpId: z.string().optional(), timeout: z.int().optional() })
  .meta({ id: 'WebAuthnRequest' });
