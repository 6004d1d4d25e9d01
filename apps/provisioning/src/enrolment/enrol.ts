/** Decides on `simpleenroll`: whether a factory certificate gets its device a fleet certificate, and which. */
import { isLive, isPending, newest } from '../certificate/certificate.js';
import { may } from '../lifecycle/policy.js';
import {
  again,
  type Circumstances,
  type Decision,
  isForSame,
  isSpent,
  refuse,
  refusedByLabel,
  refusedByRate,
  signIfApproved,
} from './decision.js';

export function decideEnrol(circumstances: Circumstances): Decision {
  const { device, held, request, client, now } = circumstances;
  const last = newest(held);
  if (last?.status === 'revoked') return refuse('est.certificate_refused', 'the fleet certificate was revoked');
  if (!may(device.state, 'enrol')) {
    return refuse('est.device_state_refused', `the device is ${device.state}`);
  }
  const refused = refusedByLabel(circumstances);
  if (refused) return refused;
  // A late retry: who can sign with the live certificate's key has that certificate anyway.
  const retried = held.find(
    (one) => isLive(one, now) && one.askedBy === client.thumbprint && isForSame(one, circumstances),
  );
  if (retried) return again(retried.thumbprint);
  // The vehicle works with that one and would renew it: somebody else may have the factory key.
  if (held.some((one) => isLive(one, now))) {
    return refuse('est.certificate_refused', 'a fleet certificate is in use; renew with it');
  }
  if (isSpent(request.key)) return refuse('est.csr_key_refused', 'the key was used elsewhere; make a new one');
  const unused = held.find((one) => isPending(one, now) && isForSame(one, circumstances));
  return unused ? again(unused.thumbprint) : (refusedByRate(circumstances) ?? signIfApproved(circumstances));
}
