import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { Connection } from '../store/connection.provider.js';
import type { OrderId } from './fetch-order.js';

export interface Upload {
  readonly id: string;
  readonly orderId: OrderId;
  readonly state: 'open' | 'accepted' | 'refused';
  /** Segments received, without a hole. */
  readonly received: number;
  readonly bytes: number;
}

interface UploadRow {
  upload_id: string;
  order_id: OrderId;
  state: Upload['state'];
  received: number;
  bytes: string;
}

const SELECT = `
  SELECT u.upload_id, u.order_id, u.state, p.received, p.bytes FROM log_uploads u
  CROSS JOIN LATERAL (
    SELECT count(*)::int AS received, coalesce(sum(octet_length(bytes)), 0)::bigint AS bytes
    FROM log_upload_parts p WHERE p.device_id = u.device_id AND p.upload_id = u.upload_id) p
  WHERE u.device_id = $1`;

/** Uploads on their way: nothing in here counts for anything before the whole has been verified. */
@Injectable()
export class UploadsRepository {
  constructor(private readonly database: Database) {}

  /** The open upload of an order, made where there is none; and what other orders of the device left that nobody can finish any more is cleared away. */
  async begin(deviceId: DeviceId, orderId: OrderId, id: string): Promise<Upload> {
    await this.clearLeftovers(deviceId);
    await this.database.query(
      `INSERT INTO log_uploads (device_id, upload_id, order_id) VALUES ($1, $2, $3)
       ON CONFLICT (device_id, order_id) WHERE state = 'open' DO NOTHING`,
      [deviceId, id, orderId],
    );
    const rows = await this.database.query<UploadRow>(`${SELECT} AND u.order_id = $2 AND u.state = 'open'`, [
      deviceId,
      orderId,
    ]);
    return toUpload(rows[0]!);
  }

  async find(deviceId: DeviceId, id: string): Promise<Upload | undefined> {
    const rows = await this.database.query<UploadRow>(`${SELECT} AND u.upload_id = $2`, [deviceId, id]);
    return rows[0] && toUpload(rows[0]);
  }

  /** False when that part is there already. */
  async append(deviceId: DeviceId, id: string, part: number, bytes: Uint8Array): Promise<boolean> {
    const rows = await this.database.query<object>(
      `INSERT INTO log_upload_parts (device_id, upload_id, part, bytes) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING RETURNING 1`,
      [deviceId, id, part, bytes],
    );
    return rows.length === 1;
  }

  async holds(deviceId: DeviceId, id: string, part: number, bytes: Uint8Array): Promise<boolean> {
    const rows = await this.database.query<object>(
      'SELECT 1 FROM log_upload_parts WHERE device_id = $1 AND upload_id = $2 AND part = $3 AND bytes = $4',
      [deviceId, id, part, bytes],
    );
    return rows.length === 1;
  }

  /** Locks an open upload until the end of `tx`; false when it is not open any more. */
  async lock(tx: Connection, deviceId: DeviceId, id: string): Promise<boolean> {
    const { rowCount } = await tx.query({
      text: `SELECT 1 FROM log_uploads WHERE device_id = $1 AND upload_id = $2 AND state = 'open' FOR UPDATE`,
      values: [deviceId, id],
    });
    return rowCount === 1;
  }

  async part(tx: Connection, deviceId: DeviceId, id: string, part: number): Promise<Uint8Array | undefined> {
    const { rows } = await tx.query<{ bytes: Buffer }>({
      text: 'SELECT bytes FROM log_upload_parts WHERE device_id = $1 AND upload_id = $2 AND part = $3',
      values: [deviceId, id, part],
    });
    return rows[0]?.bytes;
  }

  async close(tx: Connection, deviceId: DeviceId, id: string, state: 'accepted' | 'refused', refusal?: object) {
    await tx.query({
      text: 'UPDATE log_uploads SET state = $3, refusal = $4 WHERE device_id = $1 AND upload_id = $2',
      values: [deviceId, id, state, refusal ? JSON.stringify(refusal) : null],
    });
    await tx.query({
      text: 'DELETE FROM log_upload_parts WHERE device_id = $1 AND upload_id = $2',
      values: [deviceId, id],
    });
  }

  async countRefused(tx: Connection, deviceId: DeviceId, orderId: OrderId): Promise<number> {
    const { rows } = await tx.query<{ n: number }>({
      text: `SELECT count(*)::int AS n FROM log_uploads WHERE device_id = $1 AND order_id = $2 AND state = 'refused'`,
      values: [deviceId, orderId],
    });
    return rows[0]!.n;
  }

  private async clearLeftovers(deviceId: DeviceId): Promise<void> {
    const dead = `
      SELECT u.upload_id FROM log_uploads u JOIN fetch_orders o ON o.device_id = u.device_id AND o.order_id = u.order_id
      WHERE u.device_id = $1 AND u.state = 'open' AND (o.expires_at < now() OR EXISTS (
        SELECT FROM fetch_order_ends e WHERE e.device_id = u.device_id AND e.order_id = u.order_id))`;
    await this.database.query(`DELETE FROM log_upload_parts WHERE device_id = $1 AND upload_id IN (${dead})`, [
      deviceId,
    ]);
    await this.database.query(`DELETE FROM log_uploads WHERE device_id = $1 AND upload_id IN (${dead})`, [deviceId]);
  }
}

function toUpload({ upload_id, order_id, state, received, bytes }: UploadRow): Upload {
  return { id: upload_id, orderId: order_id, state, received, bytes: Number(bytes) };
}
