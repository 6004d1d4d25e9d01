import { Injectable } from '@nestjs/common';
import type { DenylistMode } from '@outrider/contracts';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { currentTrace } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { Block } from './block.js';

interface Row {
  readonly device_id: DeviceId;
  readonly blocked: boolean;
  readonly mode: DenylistMode;
  readonly reason: string;
  readonly thumbprint: Thumbprint | null;
  readonly changed_by: string;
  readonly changed_at: Date;
  readonly version: string;
  readonly delivered_version: string;
}

/** The present blocks and, append-only, how they came about. */
@Injectable()
export class Blocks {
  constructor(private readonly database: Database) {}

  /** Holds the device's name, whether or not it has a row, until the end of `tx`. */
  async lock(tx: EntityManager, deviceId: DeviceId): Promise<Block | undefined> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('block.' || $1::text, 0))`, [deviceId]);
    return this.find(tx, deviceId);
  }

  /** One delivery at a time for each device: what is delivered last is what was decided last. */
  async lockDelivery(tx: EntityManager, deviceId: DeviceId): Promise<Block | undefined> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('delivery.' || $1::text, 0))`, [deviceId]);
    return this.find(tx, deviceId);
  }

  async save(tx: EntityManager, block: Block): Promise<void> {
    const values = [
      block.deviceId,
      block.blocked,
      block.mode,
      block.reason,
      block.thumbprint ?? null,
      block.changedBy,
      block.changedAt,
    ];
    await tx.query(
      `INSERT INTO blocks (device_id, blocked, mode, reason, thumbprint, changed_by, changed_at, version, delivered_version)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)
       ON CONFLICT (device_id) DO UPDATE SET blocked = EXCLUDED.blocked, mode = EXCLUDED.mode, reason = EXCLUDED.reason,
         thumbprint = EXCLUDED.thumbprint, changed_by = EXCLUDED.changed_by, changed_at = EXCLUDED.changed_at,
         version = EXCLUDED.version`,
      [...values, block.version],
    );
    await tx.query(
      `INSERT INTO block_changes (device_id, blocked, mode, reason, thumbprint, changed_by, changed_at, trace_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [...values, currentTrace()?.traceId ?? null],
    );
  }

  async delivered(tx: EntityManager, { deviceId, version }: Block): Promise<void> {
    await tx.query('UPDATE blocks SET delivered_version = GREATEST(delivered_version, $2) WHERE device_id = $1', [
      deviceId,
      version,
    ]);
  }

  /** Devices whose state revocation has not taken over, the longest waiting first. */
  async undelivered(limit: number): Promise<DeviceId[]> {
    const rows = await this.database.query<Row>(
      'SELECT device_id FROM blocks WHERE delivered_version < version ORDER BY changed_at LIMIT $1',
      [limit],
    );
    return rows.map((row) => row.device_id);
  }

  /** Blocked devices by name. */
  async list(after: DeviceId | undefined, limit: number): Promise<Block[]> {
    const rows = await this.database.query<Row>(
      'SELECT * FROM blocks WHERE blocked AND device_id > $1 ORDER BY device_id LIMIT $2',
      [after ?? '', limit],
    );
    return rows.map(blockOf);
  }

  private async find(tx: EntityManager, deviceId: DeviceId): Promise<Block | undefined> {
    const [row]: Row[] = await tx.query('SELECT * FROM blocks WHERE device_id = $1', [deviceId]);
    return row && blockOf(row);
  }
}

function blockOf(row: Row): Block {
  return {
    deviceId: row.device_id,
    blocked: row.blocked,
    mode: row.mode,
    reason: row.reason,
    thumbprint: row.thumbprint ?? undefined,
    changedBy: row.changed_by,
    changedAt: row.changed_at,
    version: Number(row.version),
    deliveredVersion: Number(row.delivered_version),
  };
}
