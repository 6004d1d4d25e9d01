import { Inject, Injectable } from '@nestjs/common';
import { deviceGet, vehicleCertificateGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import type { OperatorAdmission } from '@outrider/platform/admission';
import { Nats } from '@outrider/platform/nats';
import { Forbids, operatorAttributes, outOfServiceRequest } from '@outrider/platform/policy';
import { LOGGER, type Logger } from '@outrider/platform/service';
import { DeviceContextService } from '../attributes/device-context.service.js';
import { Devices } from '../device/devices.repository.js';
import type { BlockTarget } from './block-target.js';

const ASK_TIMEOUT_MS = 1000;

/** `remoteAddress`: nobody locks himself out by a network. */
export type Operator = Pick<OperatorAdmission, 'subject' | 'claims'> & { readonly remoteAddress: string };

/** What may stand against the block of a device, or of its certificate. What is away stands against nothing. */
@Injectable()
export class BlockChecks {
  constructor(
    private readonly devices: Devices,
    private readonly context: DeviceContextService,
    private readonly forbids: Forbids,
    private readonly nats: Nats,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** By what is known here; what cannot be known holds up nothing. @throws DomainError `policy.denied` */
  async requireNotForbidden(
    action: 'block' | 'unblock',
    deviceId: DeviceId,
    { subject, claims, remoteAddress }: Operator,
    now: Date,
  ): Promise<void> {
    const known = await this.context.ownWord(deviceId, now).catch((error: unknown) => {
      this.logger.warn({ err: error, deviceId }, 'nothing is known of the device: policies are asked without');
      return undefined;
    });
    const request = outOfServiceRequest(action, subject, operatorAttributes(claims), deviceId, known, now);
    this.forbids.requireNone(request, { action: `POST /admin/${action}`, tokenId: claims.jti, remoteAddress });
  }

  /** Whose the target is, for policies: of a certificate by provisioning's word. Undefined: nobody's, or nobody can tell. */
  async deviceOf({ kind, value }: BlockTarget): Promise<DeviceId | undefined> {
    if (kind === 'device') return value;
    if (kind !== 'certificate') return undefined;
    try {
      const request = this.nats.request(vehicleCertificateGet, { thumbprint: value }, { timeoutMs: ASK_TIMEOUT_MS });
      return (await request).deviceId;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.code !== 'provisioning.certificate_not_found')
        this.logger.warn({ thumbprint: value, code: error.code }, 'whose the certificate is cannot be told');
      return undefined;
    }
  }

  /**
   * Asks provisioning where our own projection cannot tell. Its silence stops no block.
   * @throws DomainError `gateway.target_conflict`, `provisioning.device_not_found`
   */
  async requireDeviceToExist(deviceId: DeviceId, thumbprint: Thumbprint | undefined): Promise<void> {
    if (!thumbprint && (await this.devices.isKnown(deviceId))) return;
    try {
      const { device, certificates } = await this.nats.request(deviceGet, { deviceId }, { timeoutMs: ASK_TIMEOUT_MS });
      await this.devices.save(device);
      if (thumbprint && !certificates.some((certificate) => certificate.thumbprint === thumbprint))
        throw new DomainError('gateway.target_conflict');
    } catch (error) {
      if (!(error instanceof DomainError) || !error.code.startsWith('service.')) throw error;
      this.logger.warn(
        { deviceId, code: error.code },
        'provisioning does not answer: the block is not checked with it',
      );
    }
  }
}
