import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { DeviceEpoch, EpochOrder } from './epoch-order.js';

/** As a history row is told. */
export interface KeptOrder {
  readonly min_epoch: number;
  readonly former_epoch: number;
  readonly was_held: boolean;
  readonly reason: string;
  readonly ordered_by: string;
  readonly ordered_at: Date;
}

/** What a restored backup had lost of a device. */
export interface KeptRollback {
  readonly stream: string;
  readonly epoch: number;
  readonly seq: number;
  readonly found_at: Date;
}

const DEVICE = `device_id AS "deviceId", epoch, min_epoch AS "minEpoch", held_epoch AS "heldEpoch"`;
const MAX_HISTORY = 100;

/** The epochs of devices as operators see and set them; orders are only ever added. */
@Injectable()
export class EpochOrdersRepository {
  constructor(private readonly database: Database) {}

  async find(deviceId: DeviceId): Promise<DeviceEpoch | undefined> {
    const [row] = await this.database.query<DeviceEpoch>(`SELECT ${DEVICE} FROM devices WHERE device_id = $1`, [
      deviceId,
    ]);
    return row;
  }

  /** Newest first. */
  orders(deviceId: DeviceId): Promise<KeptOrder[]> {
    return this.database.query<KeptOrder>(
      `SELECT min_epoch, former_epoch, was_held, reason, ordered_by, ordered_at FROM epoch_orders
       WHERE device_id = $1 ORDER BY min_epoch DESC LIMIT ${MAX_HISTORY}`,
      [deviceId],
    );
  }

  /** Newest first. */
  rollbacks(deviceId: DeviceId): Promise<KeptRollback[]> {
    return this.database.query<KeptRollback>(
      `SELECT stream, epoch, seq::float8 AS seq, found_at FROM rollbacks
       WHERE device_id = $1 ORDER BY found_at DESC LIMIT ${MAX_HISTORY}`,
      [deviceId],
    );
  }

  /** Of all devices: those held, by name. */
  held(after: string, limit: number): Promise<DeviceEpoch[]> {
    return this.database.query<DeviceEpoch>(
      `SELECT ${DEVICE} FROM devices WHERE held_epoch IS NOT NULL AND device_id > $1 ORDER BY device_id LIMIT $2`,
      [after, limit],
    );
  }

  /** In device order, as ingest locks them; those never heard of are absent. */
  lock(tx: EntityManager, deviceIds: readonly DeviceId[]): Promise<DeviceEpoch[]> {
    return tx.query(
      `SELECT ${DEVICE} FROM devices WHERE device_id = ANY($1::text[]) ORDER BY device_id FOR NO KEY UPDATE`,
      [deviceIds],
    );
  }

  async save(tx: EntityManager, orders: readonly EpochOrder[], reason: string, orderedBy: string): Promise<void> {
    await tx.query(
      `
      WITH o AS (
        SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::bool[]) AS o(device_id, min_epoch, former_epoch, was_held)
      ), opened AS (
        UPDATE devices d SET min_epoch = o.min_epoch, held_epoch = NULL FROM o WHERE d.device_id = o.device_id
      )
      INSERT INTO epoch_orders (device_id, min_epoch, former_epoch, was_held, reason, ordered_by)
      SELECT device_id, min_epoch, former_epoch, was_held, $5, $6 FROM o`,
      [
        orders.map(({ deviceId }) => deviceId),
        orders.map(({ minEpoch }) => minEpoch),
        orders.map(({ formerEpoch }) => formerEpoch),
        orders.map(({ wasHeld }) => wasHeld),
        reason,
        orderedBy,
      ],
    );
  }
}
