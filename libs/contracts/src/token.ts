/** token: its public keys, and which certificates it has seen in use. */
import { DeviceId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { event, request } from './contract.js';
import { Instant } from './values.js';

/** A public EC P-256 key for ES256 (RFC 7517). */
export const Jwk = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  y: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  kid: z.string().min(1).max(128),
  use: z.literal('sig'),
  alg: z.literal('ES256'),
});
export type Jwk = z.infer<typeof Jwk>;
export const Jwks = z.strictObject({ keys: z.array(Jwk).max(16) });
export type Jwks = z.infer<typeof Jwks>;

export const jwksGet = request({
  subject: 'token.jwks.get.v1',
  from: ['provisioning', 'telemetry', 'command', 'revocation', 'gateway'],
  to: 'token',
  payload: z.strictObject({}),
  reply: Jwks,
});

export const jwksChanged = event({
  subject: 'token.jwks.changed.v1',
  ephemeral: true,
  from: 'token',
  to: ['provisioning', 'telemetry', 'command', 'revocation', 'gateway'],
  payload: Jwks,
});

/**
 * Who stands behind operators' accounts, where something takes two of them: an approval of commands to many vehicles. `keyedBy`: who has
 * had the account's key in hand. An account that there is not, or that is switched off, is not in the answer.
 */
export const operatorsGet = request({
  subject: 'token.operators.get.v1',
  from: ['command'],
  to: 'token',
  payload: z.strictObject({ subjects: z.array(z.string().max(128)).min(1).max(8) }),
  reply: z.strictObject({
    operators: z
      .array(
        z.strictObject({
          subject: z.string().max(128),
          identity: z.string().max(256),
          keyedBy: z.array(z.string().max(256)),
        }),
      )
      .max(8),
  }),
});

/** First authenticated use of a certificate: starts the overlap after which its predecessor is superseded. */
export const certificateSeen = event({
  subject: 'token.certificate.seen.v1',
  routed: true,
  from: 'token',
  to: ['provisioning'],
  payload: z.strictObject({ deviceId: DeviceId, thumbprint: Thumbprint, seenAt: Instant }),
});
