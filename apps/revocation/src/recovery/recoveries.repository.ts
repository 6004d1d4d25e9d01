import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import type { EntityManager } from 'typeorm';

export interface Recovery {
  readonly orderId: string;
  readonly deviceId: DeviceId;
  readonly kind: string;
  readonly upTo: Date | undefined;
  readonly requestedBy: string;
  readonly approvedBy: string;
  readonly at: Date;
}

/** What was recovered (append-only), and how far the registry's own word is known. The denylist's lock is held. */
@Injectable()
export class Recoveries {
  /** @returns false where it is known already. */
  async add(tx: EntityManager, recovery: Recovery): Promise<boolean> {
    const added = await tx.query(
      `INSERT INTO device_recoveries (order_id, device_id, kind, up_to, requested_by, approved_by, recovered_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING order_id`,
      [
        recovery.orderId,
        recovery.deviceId,
        recovery.kind,
        recovery.upTo ?? null,
        recovery.requestedBy,
        recovery.approvedBy,
        recovery.at,
      ],
    );
    return added.length > 0;
  }

  async lastRevokedAt(tx: EntityManager, deviceId: DeviceId): Promise<Date | undefined> {
    const [row]: { at: Date | null }[] = await tx.query(
      'SELECT max(revoked_at) AS at FROM device_revocations WHERE device_id = $1',
      [deviceId],
    );
    return row?.at ?? undefined;
  }

  /** @returns whether this is the latest word: an older one that comes late changes nothing. */
  async isLatestWord(tx: EntityManager, deviceId: DeviceId, version: number): Promise<boolean> {
    const rows = await tx.query(
      `INSERT INTO registry_words AS w (device_id, version) VALUES ($1, $2)
       ON CONFLICT (device_id) DO UPDATE SET version = EXCLUDED.version WHERE w.version < EXCLUDED.version RETURNING device_id`,
      [deviceId, version],
    );
    return rows.length > 0;
  }
}
