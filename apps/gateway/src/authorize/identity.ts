/** Decides what the API behind an edge is told of its caller, and which words of the caller's own it must never see. */
import type { Authorization } from './authorize.js';

/** All there are: an edge takes incoming copies of each of them away. */
export const IDENTITY_HEADERS = [
  'x-outrider-device',
  'x-outrider-thumbprint',
  'x-outrider-token-id',
  'x-outrider-scope',
  'x-outrider-admitted-by',
  'x-outrider-recovery',
] as const;
export type IdentityHeader = (typeof IDENTITY_HEADERS)[number];
export type Identity = Partial<Record<IdentityHeader, string>>;

/**
 * Empty for a route that asks for nobody: what a client showed there was not looked at.
 * `x-outrider-admitted-by`: `certificate`, `token` (bound to the certificate) or `dpop` (and to a key). `x-outrider-recovery`: the device is in recovery mode.
 */
export function identityOf(authorization: Authorization, thumbprint: string | undefined): Identity {
  const { rule } = authorization;
  if (authorization.decision !== 'allow' || !rule || rule.admit === 'anyone')
    return { 'x-outrider-admitted-by': 'anyone' };
  const { deviceId, claims, proof, recovery } = authorization;
  return {
    ...(deviceId === undefined ? {} : { 'x-outrider-device': deviceId }),
    ...(thumbprint === undefined ? {} : { 'x-outrider-thumbprint': thumbprint }),
    ...(claims ? { 'x-outrider-token-id': claims.jti, 'x-outrider-scope': claims.scope } : {}),
    'x-outrider-admitted-by': proof ? 'dpop' : claims ? 'token' : 'certificate',
    ...(recovery ? { 'x-outrider-recovery': 'true' } : {}),
  };
}
