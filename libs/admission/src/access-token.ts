/** What an access token of the suite says: two strict forms, a vehicle's and an operator's (RFC 9068, RFC 8705 §3.1). */
import { DeviceId, JwtId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { operatorAuthentication } from './operator-authentication.js';

/** The audience of every operator token; vehicles' tokens are for `urn:outrider:<app>`. */
export const OPERATOR_AUDIENCE = 'urn:outrider:operator';

/** `urn:outrider:<app>`. */
export function vehicleAudience(app: string): string {
  return `urn:outrider:${app}`;
}

const NumericDate = z.int().min(0).max(253_402_300_799);
/** RFC 6749 §3.3 scope-tokens, single spaces between, at most 32 of them. */
const Scope = z
  .string()
  .max(512)
  .regex(/^[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+){0,31}$/);

/** RFC 7638, SHA-256 in base64url. */
const JwkThumbprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

const common = { iss: z.url().max(256), iat: NumericDate, nbf: NumericDate, exp: NumericDate, jti: JwtId } as const;

/** Bound to a certificate, and to a DPoP key where it says so; for one vehicle and one service. */
export const DeviceClaims = z
  .strictObject({
    ...common,
    sub: DeviceId,
    client_id: DeviceId,
    aud: z.string().regex(/^urn:outrider:[a-z-]{1,32}$/),
    scope: Scope,
    /** The certificate it came from; and the DPoP key, where a proof is needed too (RFC 9449 §6.1). */
    cnf: z.strictObject({ 'x5t#S256': Thumbprint, jkt: JwkThumbprint.optional() }),
  })
  .refine((claims) => claims.sub === claims.client_id, 'sub and client_id differ');
export type DeviceClaims = z.infer<typeof DeviceClaims>;

/** Bearer; `sub` = `op:<uuid>`. */
export const OperatorClaims = z.strictObject({
  ...common,
  ...operatorAuthentication,
  sub: z.string().regex(/^op:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  client_id: z.string().min(1).max(128),
  aud: z.literal(OPERATOR_AUDIENCE),
  scope: Scope,
  roles: z.array(z.string().min(1).max(64)).max(32),
});
export type OperatorClaims = z.infer<typeof OperatorClaims>;
