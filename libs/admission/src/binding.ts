/** Decides whether token, certificate and request speak of the same vehicle, and whether the token's scope suffices. */
import { constantTimeEqual } from '@outrider/crypto';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import type { DeviceClaims } from './access-token.js';

/** True where the token is bound to the certificate of this connection (RFC 8705 §3); in constant time. */
export function checkBinding(claims: Pick<DeviceClaims, 'cnf'>, thumbprint: Thumbprint): boolean {
  return constantTimeEqual(claims.cnf['x5t#S256'], thumbprint);
}

/** True where the token is bound to no DPoP key, or to this one (RFC 9449 §7.1); in constant time. */
export function checkKeyBinding({ cnf }: Pick<DeviceClaims, 'cnf'>, jkt: string | undefined): boolean {
  if (cnf.jkt === undefined) return jkt === undefined;
  return jkt !== undefined && constantTimeEqual(cnf.jkt, jkt);
}

/** True where a space separated scope holds at least one of `anyOf`; an empty `anyOf` asks for nothing. */
export function hasScope(scope: string, anyOf: readonly string[]): boolean {
  if (anyOf.length === 0) return true;
  const granted = scope.split(' ');
  return anyOf.some((wanted) => granted.includes(wanted));
}

/** What names a device in one request; what the route does not have is absent. */
export interface NamedDevices {
  readonly tokenDevice: DeviceId;
  readonly certificateDevice: DeviceId | undefined;
  readonly pathDevice?: string | undefined;
  readonly bodyDevice?: string | undefined;
}

/** The one device all agree on; undefined (`auth.wrong_device`) otherwise, or where the certificate names none. */
export function admitDevice({ tokenDevice, certificateDevice, pathDevice, bodyDevice }: NamedDevices) {
  if (certificateDevice !== tokenDevice) return undefined;
  if (pathDevice !== undefined && pathDevice !== tokenDevice) return undefined;
  if (bodyDevice !== undefined && bodyDevice !== tokenDevice) return undefined;
  return tokenDevice;
}
