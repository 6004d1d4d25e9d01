/** Decides on one request of a group, by what the ones before it left. */
import type { Device } from '../device/device.js';
import type { Ask } from './ask.js';
import type { Decision } from './decision.js';
import { decideEnrol } from './enrol.js';
import { decideReEnrol } from './re-enrol.js';
import type { WorkingSet } from './working-set.js';

/** @param overlapSecondsOf a label's; one that is gone has the default's. */
export function decide(
  { operation, label, request, client, csrSha256, remoteAddress }: Ask,
  device: Device,
  set: WorkingSet,
  overlapSecondsOf: (label: string) => number,
  now: Date,
): Decision {
  const { deviceId } = device;
  const { thumbprint } = client.certificate;
  // To renew with it is to use it.
  if (operation === 're-enrol') set.use(deviceId, thumbprint, overlapSecondsOf, now);
  const { keyThumbprint, keyAlgorithm } = request;
  const circumstances = {
    device,
    held: set.heldBy(deviceId),
    request: { keyThumbprint, keyAlgorithm, csrSha256, key: set.keyUse(keyThumbprint, deviceId) },
    label,
    client: { thumbprint, remoteAddress },
    now,
  };
  return operation === 'enrol' ? decideEnrol(circumstances) : decideReEnrol(circumstances);
}
