import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { deviceGet, vehicleCertificateGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Subscriptions } from '@outrider/platform/nats';
import { deviceSnapshot } from '../device/device.js';
import { Devices } from '../device/devices.repository.js';
import { certificateRef, isLive, isPending } from './certificate.js';
import { Certificates } from './certificates.repository.js';

/** What other services ask of the registry. */
@Injectable()
export class CertificateAnswers implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly devices: Devices,
    private readonly certificates: Certificates,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(vehicleCertificateGet, async ({ thumbprint }) => {
      const held = await this.certificates.find(thumbprint);
      if (!held) throw new DomainError('provisioning.certificate_not_found', { detail: thumbprint });
      return {
        certificate: held.der.toString('base64'),
        deviceId: held.deviceId,
        status: held.status,
        ...(held.supersededAt ? { supersededAt: held.supersededAt.toISOString() } : {}),
        ...(held.revokedAt ? { revokedAt: held.revokedAt.toISOString() } : {}),
      };
    });
    this.subscriptions.answer(deviceGet, async ({ deviceId }) => {
      const device = await this.devices.find(deviceId);
      if (!device) throw new DomainError('provisioning.device_not_found', { detail: deviceId });
      const now = new Date();
      const usable = (await this.certificates.ofDevice(deviceId)).filter(
        (held) => isLive(held, now) || isPending(held, now),
      );
      return { device: deviceSnapshot(device), certificates: usable.map(certificateRef) };
    });
  }
}
