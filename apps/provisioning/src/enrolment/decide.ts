/** Decides on one request of a group, by what the ones before it left. */
import type { ApprovalBook } from '../approval/approval-book.js';
import { since } from '../certificate/certificate.js';
import type { Device } from '../device/device.js';
import type { CloneMemory } from '../finding/clone-memory.js';
import type { Ask } from './ask.js';
import type { Decision } from './decision.js';
import { decideEnrol } from './enrol.js';
import { decideReEnrol } from './re-enrol.js';
import { suspect } from './suspect.js';
import type { WorkingSet } from './working-set.js';

/** What one transaction knows of all the devices of its group. */
export interface Knowledge {
  readonly set: WorkingSet;
  readonly memory: CloneMemory;
  readonly approvals: ApprovalBook;
}

/** @param overlapSecondsOf a label's; one that is gone has the default's. */
export function decide(
  ask: Ask,
  device: Device,
  { set, memory, approvals }: Knowledge,
  overlapSecondsOf: (label: string) => number,
  now: Date,
): Decision {
  const { operation, label, request, client, csrSha256, remoteAddress } = ask;
  const { deviceId } = device;
  const { thumbprint } = client.certificate;
  // To renew with it is to use it.
  if (operation === 're-enrol') set.use(deviceId, thumbprint, overlapSecondsOf, now);
  const { keyThumbprint, keyAlgorithm } = request;
  const asksOperator = operation === 'enrol' && label.policy.bootstrap === 'approve';
  const circumstances = {
    device,
    held: since(set.heldBy(deviceId), device.recoveredAt),
    request: { keyThumbprint, keyAlgorithm, csrSha256, key: set.keyUse(keyThumbprint, deviceId) },
    label,
    client: { thumbprint, remoteAddress },
    approval: asksOperator ? approvals.consult({ csrSha256, label: label.name }, device, now) : undefined,
    now,
  };
  const decision = operation === 'enrol' ? decideEnrol(circumstances) : decideReEnrol(circumstances);
  return { ...decision, findings: [...decision.findings, ...suspect(ask, device, set, memory, now)] };
}
