import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { blockChanged, certificateRevoked, deviceRevoked } from '@outrider/contracts';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Subscriptions } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { CertificateRow } from '../certificate/certificate.entity.js';
import { Certificates } from '../certificate/certificates.repository.js';
import type { DeviceRow } from './device.entity.js';
import { Devices } from './devices.repository.js';
import type { Reason } from './lifecycle.js';

/** Follows what revocation and the gateway decided: the status of certificates, the state of devices. Each handler can run twice. */
@Injectable()
export class OutOfServiceConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly database: Database,
    private readonly devices: Devices,
    private readonly certificates: Certificates,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.consume(certificateRevoked, async ({ ref, reason, revokedAt }) => {
      if (ref.deviceId) await this.certificateRevoked(ref.deviceId, ref.thumbprint, reason, new Date(revokedAt));
    });
    this.subscriptions.consume(deviceRevoked, ({ deviceId, reason }) =>
      this.withDevice(deviceId, async (tx, device, now) => {
        await this.devices.move(tx, device, { kind: 'revoked', reason }, now);
      }),
    );
    this.subscriptions.consume(blockChanged, ({ deviceId, blocked, at }) =>
      this.withDevice(deviceId, (tx, device, now) => this.blockChanged(tx, device, blocked, new Date(at), now)),
    );
  }

  private certificateRevoked(
    deviceId: DeviceId,
    thumbprint: Thumbprint,
    reason: Reason,
    revokedAt: Date,
  ): Promise<void> {
    return this.withDevice(deviceId, async (tx, device, now) => {
      const row = await tx.findOneBy(CertificateRow, { thumbprint });
      if (row && row.status !== 'revoked' && !isSupersession(row, reason)) {
        Object.assign(row, {
          status: 'revoked',
          revokedAt,
          revocationReason: reason,
        } satisfies Partial<CertificateRow>);
        await this.certificates.save(tx, row);
      }
      // Whoever has the key can be this vehicle: the device is out until it is recovered, not the certificate alone.
      if (reason === 'keyCompromise') await this.devices.move(tx, device, { kind: 'revoked', reason }, now);
    });
  }

  private async blockChanged(
    tx: EntityManager,
    device: DeviceRow,
    blocked: boolean,
    at: Date,
    now: Date,
  ): Promise<void> {
    if (device.blockChangedAt && at <= device.blockChangedAt) return;
    const everEnrolled = await tx.existsBy(CertificateRow, { deviceId: device.deviceId });
    device.blockChangedAt = at;
    const before = device.version;
    await this.devices.move(tx, device, blocked ? { kind: 'blocked' } : { kind: 'unblocked', everEnrolled }, now);
    if (device.version === before) await tx.save(device);
  }

  private withDevice(
    deviceId: DeviceId,
    work: (tx: EntityManager, device: DeviceRow, now: Date) => Promise<void>,
  ): Promise<void> {
    return this.database.transaction(async (tx) => {
      const device = await this.devices.lock(tx, deviceId);
      if (device) await work(tx, device, new Date());
    });
  }
}

/** revocation telling us of our own supersession is no news: a superseded certificate is no finding. */
function isSupersession(row: CertificateRow, reason: Reason): boolean {
  return reason === 'superseded' && row.status === 'superseded';
}
