import { Injectable } from '@nestjs/common';
import type { DeviceSnapshot, deviceRecovered, RevocationReason } from '@outrider/contracts';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { z } from 'zod';
import type { BlockTarget } from '../block/block-target.js';

export type RecoveredDevice = z.infer<(typeof deviceRecovered)['payload']>;

export interface KnownDevice {
  readonly state: DeviceSnapshot['state'];
  readonly attestation: DeviceSnapshot['attestation'] | null;
  readonly labels: readonly string[] | null;
}

/** The projection of provisioning's devices, and of what revocation took out of service for good. */
@Injectable()
export class Devices {
  constructor(private readonly database: Database) {}

  /** Keeps the newer by version: events and answers may overtake each other. */
  async save({ deviceId, state, attestation, labels, manufacturer, version }: DeviceSnapshot): Promise<void> {
    await this.database.query(
      `INSERT INTO devices AS d (device_id, state, attestation, labels, manufacturer, version) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (device_id) DO UPDATE SET state = EXCLUDED.state, attestation = EXCLUDED.attestation,
         labels = EXCLUDED.labels, manufacturer = coalesce(EXCLUDED.manufacturer, d.manufacturer), version = EXCLUDED.version
       WHERE d.version < EXCLUDED.version OR (d.version = EXCLUDED.version AND (d.labels IS NULL OR d.manufacturer IS NULL))`,
      [deviceId, state, attestation, labels ?? null, manufacturer ?? null, version],
    );
  }

  /** Undefined for a device that nobody has told of with its manufacturer. */
  async manufacturerOf(deviceId: DeviceId): Promise<string | undefined> {
    const [row] = await this.database.query<{ manufacturer: string | null }>(
      'SELECT manufacturer FROM devices WHERE device_id = $1',
      [deviceId],
    );
    return row?.manufacturer ?? undefined;
  }

  /** `labels`, `attestation`: null where only events of an older release have told of the device. */
  async find(deviceId: DeviceId): Promise<KnownDevice | undefined> {
    const [row] = await this.database.query<KnownDevice>(
      'SELECT state, attestation, labels FROM devices WHERE device_id = $1',
      [deviceId],
    );
    return row;
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

  async saveCompromised(thumbprints: readonly Thumbprint[], revokedAt: string): Promise<void> {
    await this.database.query(
      'INSERT INTO compromised_certificates (thumbprint, revoked_at) SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING',
      [thumbprints, revokedAt],
    );
  }

  /** Whether an unblock would give something back to whoever knows a stolen key. */
  async isTargetCompromised(target: BlockTarget): Promise<boolean> {
    if (target.kind === 'device') return this.isCompromised(target.value);
    if (target.kind !== 'certificate') return false;
    const rows = await this.database.query('SELECT 1 FROM compromised_certificates WHERE thumbprint = $1', [
      target.value,
    ]);
    return rows.length > 0;
  }

  async saveRecovered(tx: EntityManager, { orderId, deviceId, revokedUpTo, at }: RecoveredDevice): Promise<void> {
    await tx.query(
      'INSERT INTO recovered_devices (order_id, device_id, up_to, recovered_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
      [orderId, deviceId, revokedUpTo ?? null, at],
    );
  }
}
