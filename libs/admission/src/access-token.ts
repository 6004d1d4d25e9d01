/** What an access token of the suite says: two strict forms, a vehicle's and an operator's (RFC 9068, RFC 8705 §3.1). */
import { DeviceId, JwtId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

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

const common = { iss: z.url().max(256), iat: NumericDate, nbf: NumericDate, exp: NumericDate, jti: JwtId } as const;

/** Bound to a certificate, for one vehicle and one service. */
export const DeviceClaims = z
  .strictObject({
    ...common,
    sub: DeviceId,
    client_id: DeviceId,
    aud: z.string().regex(/^urn:outrider:[a-z-]{1,32}$/),
    scope: Scope,
    cnf: z.strictObject({ 'x5t#S256': Thumbprint }),
  })
  .refine((claims) => claims.sub === claims.client_id, 'sub and client_id differ');
export type DeviceClaims = z.infer<typeof DeviceClaims>;

/** Bearer; `sub` = `op:<uuid>`. */
export const OperatorClaims = z.strictObject({
  ...common,
  sub: z.string().regex(/^op:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  client_id: z.string().min(1).max(128),
  aud: z.literal(OPERATOR_AUDIENCE),
  scope: Scope,
  roles: z.array(z.string().min(1).max(64)).max(32),
});
export type OperatorClaims = z.infer<typeof OperatorClaims>;
