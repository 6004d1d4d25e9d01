import { Injectable } from '@nestjs/common';
import type { RevocationReason } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
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
const ASK_AT_ONCE = 32;
/** Of a key that more vehicles have, a second person answers for the whole. */
const VEHICLES_AT_MOST = 1000;

/** Whom the policies are told of. */
export interface Asker {
  readonly subject: string;
  readonly attributes: OperatorAttributes;
}

export function askerOf({ subject, claims }: Pick<OperatorAdmission, 'subject' | 'claims'>): Asker {
  return { subject, attributes: operatorAttributes(claims) };
}

/** What the policies say of taking a vehicle out of service, and of giving it back. */
@Injectable()
export class OutOfServicePolicy {
  constructor(
    private readonly targets: Targets,
    private readonly contexts: DeviceContexts,
    private readonly forbids: Forbids,
  ) {}

  /** Asks gateway about the vehicle ahead of the decision, which then takes the same answer. */
  askAhead(deviceId: DeviceId | undefined): void {
    if (deviceId) void this.contexts.get(deviceId, CONTEXT_TIMEOUT_MS).catch(() => undefined);
  }

  /**
   * Of every vehicle that it reaches: a key may be of many, and a compromise takes along whoever shares it. By what gateway says of each
   * in a moment, or by nothing: its silence holds up no revocation. A certificate of no vehicle is no matter of policies. A release is an
   * unblocking.
   * @param reason that it would be revoked for; none of a release.
   * @throws DomainError `policy.denied`; `revocation.elevation_required` where too many vehicles share the key
   */
  async requireNotForbidden(
    action: 'revoke' | 'unblock',
    target: RevokeTarget,
    reason: RevocationReason | undefined,
    { subject, attributes }: Asker,
    now: Date,
  ): Promise<void> {
    const devices = await this.targets.devicesOf(target, reason === 'keyCompromise', now, VEHICLES_AT_MOST + 1);
    if (devices.length > VEHICLES_AT_MOST)
      throw new DomainError('revocation.elevation_required', {
        detail: `more than ${VEHICLES_AT_MOST} vehicles share the key: name it alone, with ca:revoke-bulk`,
      });
    let isSilent = false;
    const ask = async (deviceId: DeviceId) => {
      const known = isSilent
        ? undefined
        : await this.contexts.get(deviceId, CONTEXT_TIMEOUT_MS).catch((error: unknown) => {
            isSilent ||= !(error instanceof DomainError && error.status < 500);
            return undefined;
          });
      this.forbids.requireNone(outOfServiceRequest(action, subject, attributes, deviceId, known, now));
    };
    for (let from = 0; from < devices.length; from += ASK_AT_ONCE)
      await Promise.all(devices.slice(from, from + ASK_AT_ONCE).map(ask));
  }
}
