/** Decides on `simpleenroll`: whether a factory certificate gets its device a fleet certificate, and which. */
import type { DeviceState } from '@outrider/contracts';
import type { ErrorCode } from '@outrider/errors';
import type { Thumbprint } from '@outrider/ids';
import { type HeldCertificate, isLive, isPending, newest } from '../certificate/certificate.js';

/** `finding`: more than a mistake; whoever watches should see it. */
export type Decision =
  | { readonly kind: 'sign' }
  | { readonly kind: 'again'; readonly thumbprint: Thumbprint }
  | { readonly kind: 'refuse'; readonly code: ErrorCode; readonly detail: string; readonly finding: boolean };

export interface EnrolRequest {
  /** Of the key in the certificate request. */
  readonly keyThumbprint: string;
  /** The key was certified for another device, or was in a certificate that was revoked. */
  readonly keySpent: boolean;
}

/**
 * @param held the device's certificates that have not lapsed, and the newest whatever it is.
 */
export function decideEnrol(
  state: DeviceState,
  held: readonly HeldCertificate[],
  request: EnrolRequest,
  now: Date,
): Decision {
  const last = newest(held);
  if (last?.status === 'revoked') return finding('est.certificate_refused', 'the fleet certificate was revoked');
  if (state !== 'registered' && state !== 'active') {
    return finding('est.device_state_refused', `the device is ${state}`);
  }
  // The vehicle works with that one and would renew it: somebody else may have the factory key.
  if (held.some((one) => isLive(one, now))) {
    return finding('est.certificate_refused', 'a fleet certificate is in use; renew with it');
  }
  if (request.keySpent) return finding('est.csr_key_refused', 'the key was used elsewhere; make a new one');
  const unused = held.find((one) => isPending(one, now) && one.keyThumbprint === request.keyThumbprint);
  return unused ? { kind: 'again', thumbprint: unused.thumbprint } : { kind: 'sign' };
}

export function finding(code: ErrorCode, detail: string): Decision {
  return { kind: 'refuse', code, detail, finding: true };
}
