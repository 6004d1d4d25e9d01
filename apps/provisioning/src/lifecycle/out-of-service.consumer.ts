import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import {
  blockChanged,
  type CertificateRef,
  certificateBatchReleased,
  certificateBatchRevoked,
  certificateReleased,
  certificateRevoked,
  deviceReleased,
  deviceRevoked,
  type RevocationReason,
} from '@outrider/contracts';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Subscriptions } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { CertificateRow } from '../certificate/certificate.entity.js';
import { Certificates } from '../certificate/certificates.repository.js';
import type { DeviceRow } from '../device/device.entity.js';
import { Devices } from '../device/devices.repository.js';

/** When, by whom and why something was revoked, by revocation's clock. */
interface Revoked {
  readonly reason: RevocationReason;
  readonly by: string;
  readonly at: Date;
}

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
    this.subscriptions.consume(certificateRevoked, async ({ ref, reason, revokedAt, revokedBy }) => {
      if (!ref.deviceId) return;
      await this.certificateRevoked(ref.deviceId, ref.thumbprint, { reason, by: revokedBy, at: new Date(revokedAt) });
    });
    this.subscriptions.consume(deviceRevoked, ({ deviceId, reason, revokedAt, revokedBy }) =>
      this.withDevice(deviceId, (tx, device, now) =>
        this.deviceRevoked(tx, device, { reason, by: revokedBy, at: new Date(revokedAt) }, now),
      ),
    );
    this.subscriptions.consume(certificateBatchRevoked, async ({ refs, reason, revokedAt, revokedBy }) => {
      const revoked = { reason, by: revokedBy, at: new Date(revokedAt) };
      if (reason !== 'keyCompromise') return this.batchRevoked(refs, revoked);
      // Each takes its device along.
      for (const { deviceId, thumbprint } of refs)
        if (deviceId) await this.certificateRevoked(deviceId, thumbprint, revoked);
    });
    this.subscriptions.consume(certificateBatchReleased, ({ refs, releasedAt }) =>
      this.batchReleased(refs, new Date(releasedAt)),
    );
    this.subscriptions.consume(certificateReleased, async ({ ref, releasedAt }) => {
      if (ref.deviceId) await this.certificateReleased(ref.deviceId, ref.thumbprint, new Date(releasedAt));
    });
    this.subscriptions.consume(deviceReleased, ({ deviceId, releasedAt, releasedBy }) =>
      this.withDevice(deviceId, (tx, device, now) =>
        this.deviceReleased(tx, device, { by: releasedBy, at: new Date(releasedAt) }, now),
      ),
    );
    this.subscriptions.consume(blockChanged, ({ deviceId, blocked, at, by, reason }) =>
      this.withDevice(deviceId, async (tx, device, now) => {
        const changedAt = new Date(at);
        if (device.blockChangedAt && changedAt <= device.blockChangedAt) return;
        device.blockChangedAt = changedAt;
        const before = device.version;
        await this.devices.move(tx, device, { kind: blocked ? 'blocked' : 'unblocked' }, { who: by, why: reason }, now);
        if (device.version === before) await tx.save(device);
      }),
    );
  }

  private certificateRevoked(deviceId: DeviceId, thumbprint: Thumbprint, revoked: Revoked): Promise<void> {
    return this.withDevice(deviceId, async (tx, device, now) => {
      const row = await tx.findOneBy(CertificateRow, { thumbprint });
      if (row && isNews(row, revoked) && !isSupersession(row, revoked.reason)) {
        Object.assign(row, {
          status: 'revoked',
          revokedAt: revoked.at,
          revocationReason: revoked.reason,
        } satisfies Partial<CertificateRow>);
        await this.certificates.save(tx, row);
      }
      // Whoever has the key can be this vehicle: the device is out until it is recovered, not the certificate alone.
      if (revoked.reason === 'keyCompromise' && !isOfThePast(row, device))
        await this.deviceRevoked(tx, device, revoked, now);
    });
  }

  /** As `certificateRevoked` does it, for many at once. */
  private batchRevoked(refs: readonly CertificateRef[], { reason, at }: Revoked): Promise<void> {
    return this.withDevices(refs, async (tx, thumbprints) => {
      await tx.query(
        `UPDATE certificates SET status = 'revoked', revoked_at = $2, revocation_reason = $3
         WHERE thumbprint = ANY($1) AND NOT ($3 = 'superseded' AND status = 'superseded')
           AND (status <> 'revoked' OR ($3 <> 'certificateHold' AND revocation_reason = 'certificateHold'))
           AND NOT ($3 = 'certificateHold' AND released_at IS NOT NULL AND released_at >= $2)`,
        [thumbprints, at, reason],
      );
    });
  }

  private batchReleased(refs: readonly CertificateRef[], at: Date): Promise<void> {
    return this.withDevices(refs, async (tx, thumbprints) => {
      await tx.query(
        `UPDATE certificates SET released_at = $2,
           status = CASE WHEN NOT held THEN status WHEN superseded_at IS NOT NULL THEN 'superseded'
             WHEN first_seen_at IS NOT NULL THEN 'live' ELSE 'pending' END,
           revoked_at = CASE WHEN held THEN NULL ELSE revoked_at END,
           revocation_reason = CASE WHEN held THEN NULL ELSE revocation_reason END
         FROM (SELECT thumbprint AS named, COALESCE(status = 'revoked' AND revocation_reason = 'certificateHold'
                 AND revoked_at <= $2, false) AS held FROM certificates
               WHERE thumbprint = ANY($1)) AS before
         WHERE thumbprint = named AND (released_at IS NULL OR released_at < $2)`,
        [thumbprints, at],
      );
    });
  }

  /** A hold ends, and nothing graver that was told of meanwhile: its event may come first. */
  private certificateReleased(deviceId: DeviceId, thumbprint: Thumbprint, at: Date): Promise<void> {
    return this.withDevice(deviceId, async (tx) => {
      const row = await tx.findOneBy(CertificateRow, { thumbprint });
      if (!row || (row.releasedAt && row.releasedAt >= at)) return;
      row.releasedAt = at;
      const isHold = row.status === 'revoked' && row.revocationReason === 'certificateHold';
      if (isHold && row.revokedAt && row.revokedAt <= at) {
        const status = row.supersededAt ? 'superseded' : row.firstSeenAt ? 'live' : 'pending';
        Object.assign(row, { status, revokedAt: null, revocationReason: null } satisfies Partial<CertificateRow>);
      }
      await this.certificates.save(tx, row);
    });
  }

  private async deviceReleased(
    tx: EntityManager,
    device: DeviceRow,
    { by, at }: Pick<Revoked, 'by' | 'at'>,
    now: Date,
  ): Promise<void> {
    // One that was revoked again since has had a later word.
    if (device.revokedAt && device.revokedAt > at) return;
    if (!device.revocationRecoveredUpTo || device.revocationRecoveredUpTo < at) device.revocationRecoveredUpTo = at;
    const before = device.version;
    await this.devices.move(tx, device, { kind: 'released' }, { who: by, why: 'its hold was released' }, now);
    if (device.version === before) await tx.save(device);
  }

  /** One that an approved order has undone since, heard again, changes nothing; a later one does. */
  private async deviceRevoked(
    tx: EntityManager,
    device: DeviceRow,
    { reason, by, at }: Revoked,
    now: Date,
  ): Promise<void> {
    if (device.revocationRecoveredUpTo && at <= device.revocationRecoveredUpTo) return;
    const isNewer = !device.revokedAt || at > device.revokedAt;
    if (isNewer) device.revokedAt = at;
    const before = device.version;
    await this.devices.move(tx, device, { kind: 'revoked', reason }, { who: by, why: `revoked: ${reason}` }, now);
    if (isNewer && device.version === before) await tx.save(device);
  }

  /** The devices are locked in one order, so that two of these never wait for each other. */
  private withDevices(
    refs: readonly CertificateRef[],
    work: (tx: EntityManager, thumbprints: readonly string[]) => Promise<void>,
  ): Promise<void> {
    return this.database.transaction(async (tx) => {
      const deviceIds = refs.flatMap(({ deviceId }) => (deviceId ? [deviceId] : []));
      await tx.query('SELECT 1 FROM devices WHERE device_id = ANY($1) ORDER BY device_id FOR UPDATE', [deviceIds]);
      await work(
        tx,
        refs.map(({ thumbprint }) => thumbprint),
      );
    });
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

/** Not known yet, or known as a hold alone, and not one that was released meanwhile. */
function isNews(row: CertificateRow, { reason, at }: Revoked): boolean {
  if (reason === 'certificateHold') return row.status !== 'revoked' && !(row.releasedAt && at <= row.releasedAt);
  return row.status !== 'revoked' || row.revocationReason === 'certificateHold';
}

/** revocation telling us of our own supersession is no news: a superseded certificate is no finding. */
function isSupersession(row: CertificateRow, reason: RevocationReason): boolean {
  return reason === 'superseded' && row.status === 'superseded';
}

/** A certificate from before the device was recovered: what becomes of its key touches the device no more. */
function isOfThePast(row: CertificateRow | null, device: DeviceRow): boolean {
  return row !== null && device.recoveredAt !== null && row.createdAt <= device.recoveredAt;
}
