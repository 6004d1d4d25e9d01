import { Injectable } from '@nestjs/common';
import { certificateSuperseded } from '@outrider/contracts';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Database, Outbox } from '@outrider/platform/postgres';
import { type EntityManager, In, LessThanOrEqual, MoreThan, Not } from 'typeorm';
import { CertificateRow } from './certificate.entity.js';
import { certificateRef } from './certificate.js';

/** What the operator API shows at most of one device. */
const SHOWN = 100;

@Injectable()
export class Certificates {
  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
  ) {}

  find(thumbprint: Thumbprint): Promise<CertificateRow | null> {
    return this.database.transaction((tx) => tx.findOneBy(CertificateRow, { thumbprint }));
  }

  /** The newest first. */
  ofDevice(deviceId: DeviceId): Promise<CertificateRow[]> {
    return this.database.transaction((tx) =>
      tx.find(CertificateRow, { where: { deviceId }, order: { createdAt: 'DESC' }, take: SHOWN }),
    );
  }

  /** What a decision needs of a device whose row is locked: all that are good still, and the newest whatever it is. */
  async held(tx: EntityManager, deviceId: DeviceId, now: Date): Promise<CertificateRow[]> {
    return tx
      .createQueryBuilder(CertificateRow, 'held')
      .where('held.device_id = :deviceId', { deviceId })
      .andWhere(
        `(held.not_after > :now OR held.created_at =
          (SELECT max(c.created_at) FROM certificates c WHERE c.device_id = :deviceId))`,
        { now },
      )
      .orderBy('held.created_at', 'DESC')
      .getMany();
  }

  /** Whether the key was ever certified for another device, or was in a revoked certificate of anyone. */
  async keyIsSpent(tx: EntityManager, keyThumbprint: string, deviceId: DeviceId): Promise<boolean> {
    return tx.exists(CertificateRow, {
      where: [
        { keyThumbprint, deviceId: Not(deviceId) },
        { keyThumbprint, status: 'revoked' },
      ],
    });
  }

  async save(tx: EntityManager, row: CertificateRow): Promise<void> {
    await tx.save(CertificateRow, row);
  }

  /** Out of service in favour of another, and told, so that it goes onto the denylist. */
  async supersede(tx: EntityManager, row: CertificateRow, supersededBy: Thumbprint, now: Date): Promise<void> {
    Object.assign(row, { status: 'superseded', supersededBy, supersededAt: now } satisfies Partial<CertificateRow>);
    await tx.save(CertificateRow, row);
    await this.outbox.add(
      tx,
      certificateSuperseded,
      { ref: certificateRef(row), supersededBy, supersededAt: now.toISOString() },
      row.deviceId,
    );
  }

  /** Everything of one device, whose row is locked, that is good or could become so: out of service without a successor, and told. */
  async endAll(tx: EntityManager, deviceId: DeviceId, now: Date): Promise<void> {
    const rows = await tx.findBy(CertificateRow, {
      deviceId,
      status: In(['live', 'pending']),
      notAfter: MoreThan(now),
    });
    for (const row of rows) {
      const ended = { status: 'superseded', supersededBy: null, supersededAt: now } satisfies Partial<CertificateRow>;
      Object.assign(row, ended);
      await tx.save(CertificateRow, row);
      await this.outbox.add(
        tx,
        certificateSuperseded,
        { ref: certificateRef(row), supersededAt: now.toISOString() },
        row.deviceId,
      );
    }
  }

  /** Devices with a live certificate whose overlap is over. */
  async devicesPastOverlap(now: Date, limit: number): Promise<DeviceId[]> {
    const rows = await this.database.query<{ device_id: DeviceId }>(
      `SELECT DISTINCT device_id FROM certificates WHERE status = 'live' AND overlap_ends_at <= $1 LIMIT $2`,
      [now, limit],
    );
    return rows.map(({ device_id }) => device_id);
  }

  /** Those of one device, whose row is locked. */
  pastOverlap(tx: EntityManager, deviceId: DeviceId, now: Date): Promise<CertificateRow[]> {
    return tx.findBy(CertificateRow, { deviceId, status: 'live', overlapEndsAt: LessThanOrEqual(now) });
  }
}
