import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import type { OperatorAdmission } from '@outrider/platform/admission';
import {
  DeviceContexts,
  Forbids,
  type OperatorAttributes,
  operatorAttributes,
  outOfServiceRequest,
} from '@outrider/platform/policy';
import type { RevokeTarget } from './revoke-request.js';
import { Targets } from './targets.service.js';

const CONTEXT_TIMEOUT_MS = 250;

/** What the policies say of taking a vehicle out of service, and of giving it back. */
@Injectable()
export class OutOfServicePolicy {
  constructor(
    private readonly targets: Targets,
    private readonly contexts: DeviceContexts,
    private readonly forbids: Forbids,
  ) {}

  /**
   * By what gateway says of the vehicle in a moment, or by nothing: its silence holds up no revocation. A certificate of no vehicle is
   * no matter of policies. A release is an unblocking.
   * @throws DomainError `policy.denied`
   */
  async requireNotForbidden(
    action: 'revoke' | 'unblock',
    target: RevokeTarget,
    { subject, claims }: Pick<OperatorAdmission, 'subject' | 'claims'>,
    now: Date,
  ): Promise<void> {
    const deviceId = await this.targets.deviceOf(target);
    if (deviceId) await this.requireForDevice(action, deviceId, subject, operatorAttributes(claims), now);
  }

  /** @throws DomainError `policy.denied` */
  async requireForDevice(
    action: 'revoke' | 'unblock',
    deviceId: DeviceId,
    subject: string,
    attributes: OperatorAttributes,
    now: Date,
  ): Promise<void> {
    const known = await this.contexts.get(deviceId, CONTEXT_TIMEOUT_MS).catch(() => undefined);
    this.forbids.requireNone(outOfServiceRequest(action, subject, attributes, deviceId, known, now));
  }
}
