/** Decides what the registry's word on a device allows it to ask of the token endpoint. */
import type { DeviceSnapshot } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';

/** What is known of a device: its snapshot; that the registry has no such device; or nothing, neither projection nor registry having answered. */
export type DeviceKnowledge =
  | (Pick<DeviceSnapshot, 'state' | 'grants'> & Partial<Pick<DeviceSnapshot, 'attestation'>>)
  | 'not_registered'
  | 'unknown';

/**
 * Whether the registry has to be asked: it may know more than our projection. A device that holds a fleet certificate and still
 * counts as `registered` here enrolled a moment ago.
 */
export function worthAsking(known: DeviceKnowledge): boolean {
  return known === 'unknown' || (known !== 'not_registered' && known.state === 'registered');
}

/** What a quarantined vehicle may still hand in: the log of what happened (mode `recovery`). */
const HANDING_IN_A_LOG = 'telemetry:backfill';

/** Whether nothing but the handing in of logs is asked for. */
export function isForLogs(scopes: readonly string[]): boolean {
  return scopes.every((scope) => scope === HANDING_IN_A_LOG);
}

/**
 * Telemetry rests on certificate and denylist: it goes on while the registry is away, and ends for a device known to be out of use. A
 * quarantined one may still hand in its logs.
 * @throws DomainError `token.unauthorized_client`
 */
export function requireTelemetry(device: DeviceKnowledge, scopes: readonly string[]): void {
  if (device === 'unknown') return;
  if (device === 'not_registered') throw unauthorized('the device is not in the registry');
  if (device.state === 'active' || device.state === 'registered') return;
  if (device.state !== 'quarantined' || !isForLogs(scopes)) throw unauthorized(`the device is ${device.state}`);
}

/**
 * Control fails closed: an active device, or a quarantined one (policies say for what), with the grant for every scope asked, or no token.
 * @throws DomainError `service.upstream_unavailable`, `token.unauthorized_client`, `token.invalid_scope`
 */
export function requireControl(device: DeviceKnowledge, scopes: readonly string[]): void {
  if (device === 'unknown') {
    throw new DomainError('service.upstream_unavailable', {
      detail: 'the device registry does not answer',
      retryAfterSeconds: 2,
    });
  }
  if (device === 'not_registered') throw unauthorized('the device is not in the registry');
  if (device.state !== 'active' && device.state !== 'quarantined') throw unauthorized(`the device is ${device.state}`);
  const grants: readonly string[] = device.grants;
  if (!scopes.every((scope) => grants.includes(scope))) {
    throw new DomainError('token.invalid_scope', { detail: 'the device does not have this grant' });
  }
}

/**
 * Refresh tokens are for devices whose key the registry knows to lie in hardware: what is bound to another key can be copied with it.
 * @param refusal what its lack is called: of a grant that is asked for, or of one that was given.
 * @throws DomainError `service.upstream_unavailable`, `token.unauthorized_client`, and `refusal`
 */
export function requireAttested(device: DeviceKnowledge, refusal: 'token.invalid_scope' | 'token.invalid_grant'): void {
  requireControl(device, []);
  if (typeof device === 'object' && device.state !== 'active') throw unauthorized(`the device is ${device.state}`);
  if (typeof device === 'object' && device.attestation === 'hardware') return;
  throw new DomainError(refusal, { detail: 'refresh tokens are for devices attested in hardware' });
}

function unauthorized(detail: string): DomainError {
  return new DomainError('token.unauthorized_client', { detail });
}
