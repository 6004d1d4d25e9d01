import { Injectable } from '@nestjs/common';
import type { DeviceId, Epoch, StreamName } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { SequenceRange } from '@outrider/replay-window';
import type { Connection } from '../store/connection.provider.js';
import type { FetchOrder, OrderEnd, OrderId } from './fetch-order.js';

export interface StoredOrder {
  readonly order: FetchOrder;
  readonly end: OrderEnd | undefined;
}

interface OrderRow {
  device_id: DeviceId;
  order_id: OrderId;
  nonce: string;
  stream: StreamName;
  epoch: Epoch;
  ranges: SequenceRange[];
  reason: string;
  issued_by: string;
  issued_at: Date;
  expires_at: Date;
  how: OrderEnd['how'] | null;
  ended_at: Date | null;
  ended_by: string | null;
}

const SELECT = `
  SELECT o.device_id, o.order_id, o.nonce, o.stream, o.epoch, o.ranges, o.reason, o.issued_by, o.issued_at, o.expires_at,
    e.how, e.ended_at, e.ended_by
  FROM fetch_orders o LEFT JOIN fetch_order_ends e USING (device_id, order_id)
  WHERE o.device_id = $1`;

/** Where a stream of a device stands, read under the device's lock. */
export interface StreamStanding {
  readonly epoch: number;
  readonly highest: number;
}

/** Fetch orders and how they ended. Both tables only grow. */
@Injectable()
export class FetchOrdersRepository {
  constructor(private readonly database: Database) {}

  /** Of one device, newest first. */
  async list(deviceId: DeviceId, limit: number): Promise<StoredOrder[]> {
    const rows = await this.database.query<OrderRow>(`${SELECT} ORDER BY o.issued_at DESC, o.order_id LIMIT $2`, [
      deviceId,
      limit,
    ]);
    return rows.map(toOrder);
  }

  /** Those that can be answered now, oldest first. */
  async open(deviceId: DeviceId): Promise<FetchOrder[]> {
    const rows = await this.database.query<OrderRow>(
      `${SELECT} AND e.how IS NULL AND o.expires_at > now() ORDER BY o.issued_at, o.order_id LIMIT 32`,
      [deviceId],
    );
    return rows.map((row) => toOrder(row).order);
  }

  async find(deviceId: DeviceId, id: OrderId): Promise<StoredOrder | undefined> {
    const rows = await this.database.query<OrderRow>(`${SELECT} AND o.order_id = $2`, [deviceId, id]);
    return rows[0] && toOrder(rows[0]);
  }

  /** Locks the device; undefined for one that has never sent anything. Also where the stream stands in the present epoch. */
  async lockDevice(tx: Connection, deviceId: DeviceId, stream: StreamName): Promise<StreamStanding | undefined> {
    const locked = await tx.query<{ epoch: number }>({
      text: 'SELECT greatest(epoch, min_epoch) AS epoch FROM devices WHERE device_id = $1 FOR NO KEY UPDATE',
      values: [deviceId],
    });
    const [device] = locked.rows;
    if (!device) return undefined;
    const { rows } = await tx.query<{ highest: string }>({
      text: 'SELECT highest FROM windows WHERE device_id = $1 AND stream = $2 AND epoch = $3',
      values: [deviceId, stream, device.epoch],
    });
    return { epoch: device.epoch, highest: Number(rows[0]?.highest ?? 0) };
  }

  /** The last thousand orders of a stream and epoch, under the device's lock. */
  async ofStream(tx: Connection, deviceId: DeviceId, stream: StreamName, epoch: Epoch): Promise<StoredOrder[]> {
    const { rows } = await tx.query<OrderRow>({
      text: `${SELECT} AND o.stream = $2 AND o.epoch = $3 ORDER BY o.issued_at DESC LIMIT 1000`,
      values: [deviceId, stream, epoch],
    });
    return rows.map(toOrder);
  }

  /** How many can be answered now, under the device's lock. */
  async countOpen(tx: Connection, deviceId: DeviceId): Promise<{ readonly all: number; readonly automatic: number }> {
    const { rows } = await tx.query<{ all: number; automatic: number }>({
      text: `
        SELECT count(*)::int AS all, (count(*) FILTER (WHERE o.issued_by = 'platform'))::int AS automatic
        FROM fetch_orders o WHERE o.device_id = $1 AND o.expires_at > now()
          AND NOT EXISTS (SELECT FROM fetch_order_ends e WHERE e.device_id = o.device_id AND e.order_id = o.order_id)`,
      values: [deviceId],
    });
    return rows[0]!;
  }

  /** Under the device's lock. Times are PostgreSQL's. */
  async issue(
    tx: Connection,
    order: Omit<FetchOrder, 'issuedAt' | 'expiresAt'>,
    validSeconds: number,
  ): Promise<FetchOrder> {
    const { deviceId, id, nonce, stream, epoch, ranges, reason, issuedBy } = order;
    const { rows } = await tx.query<{ issued_at: Date; expires_at: Date }>({
      text: `
        INSERT INTO fetch_orders (device_id, order_id, nonce, stream, epoch, ranges, reason, issued_by, issued_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now(), now() + make_interval(secs => $9))
        RETURNING issued_at, expires_at`,
      values: [deviceId, id, nonce, stream, epoch, JSON.stringify(ranges), reason, issuedBy, validSeconds],
    });
    const { issued_at, expires_at } = rows[0]!;
    await tx.query({
      text: 'UPDATE devices SET orders_until = greatest(orders_until, $2::timestamptz) WHERE device_id = $1',
      values: [deviceId, expires_at],
    });
    return { ...order, issuedAt: issued_at, expiresAt: expires_at };
  }

  /** False when the order had ended before. */
  async end(tx: Connection, deviceId: DeviceId, id: OrderId, how: OrderEnd['how'], by: string): Promise<boolean> {
    const { rowCount } = await tx.query({
      text: `
        INSERT INTO fetch_order_ends (device_id, order_id, how, ended_by) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING`,
      values: [deviceId, id, how, by],
    });
    return rowCount === 1;
  }
}

function toOrder(row: OrderRow): StoredOrder {
  const order: FetchOrder = {
    deviceId: row.device_id,
    id: row.order_id,
    nonce: row.nonce,
    stream: row.stream,
    epoch: row.epoch,
    ranges: row.ranges,
    reason: row.reason,
    issuedBy: row.issued_by,
    issuedAt: row.issued_at,
    expiresAt: row.expires_at,
  };
  const end = row.how && row.ended_at ? { how: row.how, at: row.ended_at, by: row.ended_by ?? '' } : undefined;
  return { order, end };
}
