/** Decides on `simplereenroll`: whether a fleet certificate gets a successor, and which. */
import type { DeviceState } from '@outrider/contracts';
import type { Thumbprint } from '@outrider/ids';
import { type HeldCertificate, isLapsed, isLive, isPending } from '../certificate/certificate.js';
import { type Decision, type EnrolRequest, finding } from './enrol.js';

export interface ReEnrolRequest extends EnrolRequest {
  /** The fleet certificate that the connection is authenticated with. */
  readonly current: Thumbprint;
}

/**
 * @param held the device's certificates that have not lapsed, and the newest whatever it is; a use of the current one is already noted.
 */
export function decideReEnrol(
  state: DeviceState,
  held: readonly HeldCertificate[],
  request: ReEnrolRequest,
  now: Date,
): Decision {
  if (state !== 'active') return finding('est.device_state_refused', `the device is ${state}`);
  const current = held.find((one) => one.thumbprint === request.current);
  if (!current) return finding('est.certificate_refused', 'the certificate was not handed out here');
  if (current.status === 'revoked' || current.status === 'superseded') {
    return finding('est.certificate_refused', `the certificate is ${current.status}`);
  }
  if (isLapsed(current, now)) {
    const detail = 'the fleet certificate has lapsed; enrol with the factory certificate';
    return { kind: 'refuse', code: 'tls.certificate_expired', detail, finding: false };
  }
  const successors = held.filter((one) => one.askedBy === current.thumbprint);
  const same = successors.find(
    (one) => one.keyThumbprint === request.keyThumbprint && (isPending(one, now) || isLive(one, now)),
  );
  if (same) return { kind: 'again', thumbprint: same.thumbprint };
  if (current.overlapEndsAt !== null) {
    const detail = 'its successor is in use; renew with that one';
    return { kind: 'refuse', code: 'est.certificate_refused', detail, finding: true };
  }
  if (request.keySpent) return finding('est.csr_key_refused', 'the key was used elsewhere; make a new one');
  return { kind: 'sign' };
}
