import { Injectable } from '@nestjs/common';
import type { DeviceSnapshot, deviceRecovered, RevocationReason } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { z } from 'zod';

export type RecoveredDevice = z.infer<(typeof deviceRecovered)['payload']>;

/** The projection of provisioning's devices, and of what revocation took out of service for good. */
@Injectable()
export class Devices {
  constructor(private readonly database: Database) {}

  /** Keeps the newer by version: events and answers may overtake each other. */
  async save({ deviceId, state, version }: DeviceSnapshot): Promise<void> {
    await this.database.query(
      `INSERT INTO devices AS d (device_id, state, version) VALUES ($1, $2, $3)
       ON CONFLICT (device_id) DO UPDATE SET state = EXCLUDED.state, version = EXCLUDED.version
       WHERE d.version < EXCLUDED.version`,
      [deviceId, state, version],
    );
  }

  async isKnown(deviceId: DeviceId): Promise<boolean> {
    return (await this.database.query('SELECT 1 FROM devices WHERE device_id = $1', [deviceId])).length > 0;
  }

  async saveRevoked(deviceId: DeviceId, reason: RevocationReason, revokedAt: string): Promise<void> {
    await this.database.query(
      'INSERT INTO revoked_devices (device_id, reason, revoked_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      [deviceId, reason, revokedAt],
    );
  }

  /** Revoked for a compromise that no approved order has undone since. */
  async isCompromised(deviceId: DeviceId): Promise<boolean> {
    const rows = await this.database.query(
      `SELECT 1 FROM revoked_devices r WHERE device_id = $1 AND reason = 'keyCompromise'
       AND NOT EXISTS (SELECT 1 FROM recovered_devices c WHERE c.device_id = r.device_id AND c.up_to >= r.revoked_at)`,
      [deviceId],
    );
    return rows.length > 0;
  }

  async saveRecovered(tx: EntityManager, { orderId, deviceId, revokedUpTo, at }: RecoveredDevice): Promise<void> {
    await tx.query(
      'INSERT INTO recovered_devices (order_id, device_id, up_to, recovered_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
      [orderId, deviceId, revokedUpTo ?? null, at],
    );
  }
}
