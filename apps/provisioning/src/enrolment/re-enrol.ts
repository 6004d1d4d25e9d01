/** Decides on `simplereenroll`: whether a fleet certificate gets a successor, and which. */
import { isLapsed, isLive, isPending } from '../certificate/certificate.js';
import { inUseAfter } from '../finding/clone.js';
import { renewsFrom } from '../label/label.js';
import { may } from '../lifecycle/policy.js';
import {
  again,
  type Circumstances,
  type Decision,
  isForSame,
  isInGrace,
  isSpent,
  refuse,
  refusedByLabel,
  refusedByRate,
  SIGN,
} from './decision.js';

/** A use of the current certificate is noted in `held` already: to renew with it is to use it. */
export function decideReEnrol(circumstances: Circumstances): Decision {
  const { device, held, request, label, client, now } = circumstances;
  if (!may(device.state, 'renew')) return refuse('est.device_state_refused', `the device is ${device.state}`);
  const current = held.find((one) => one.thumbprint === client.thumbprint);
  if (!current) return refuse('est.certificate_refused', 'the certificate was not handed out here');
  if (current.status === 'revoked' || current.status === 'superseded') {
    return refuse('est.certificate_refused', `the certificate is ${current.status}`);
  }
  if (!renewsFrom(label, current.label)) {
    return refuse('est.label_refused', `handed out under ${current.label}; renew there`);
  }
  if (isLapsed(current, now)) {
    if (!isInGrace(current, label.policy, now)) {
      return refuse('tls.certificate_expired', 'the fleet certificate has lapsed; enrol with the factory certificate');
    }
    // The overlap superseded nothing where the predecessor had lapsed before.
    if (inUseAfter(current, held).length > 0) {
      return refuse('est.certificate_refused', 'another certificate took its place; renew with that one');
    }
  }
  const refused = refusedByLabel(circumstances);
  if (refused) return refused;
  const same = held.find(
    (one) =>
      one.askedBy === current.thumbprint && isForSame(one, circumstances) && (isPending(one, now) || isLive(one, now)),
  );
  if (same) return again(same.thumbprint);
  if (current.overlapEndsAt !== null) {
    return refuse('est.certificate_refused', 'its successor is in use; renew with that one');
  }
  if (isSpent(request.key)) return refuse('est.csr_key_refused', 'the key was used elsewhere; make a new one');
  return refusedByRate(circumstances) ?? SIGN;
}
