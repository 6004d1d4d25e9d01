import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { Order, OrderKind, OrderQuery, OrderState } from './order.js';

interface Row {
  readonly order_id: string;
  readonly device_id: DeviceId;
  readonly kind: OrderKind;
  readonly state: OrderState;
  readonly reason: string;
  readonly evidence: string | null;
  readonly ticket: string | null;
  readonly manufacturer: string | null;
  readonly serial_number: string | null;
  readonly requested_by: string;
  readonly requested_at: Date;
  readonly expires_at: Date;
  readonly decided_by: string | null;
  readonly decided_at: Date | null;
  readonly decision_reason: string | null;
  readonly used_at: Date | null;
}

@Injectable()
export class Orders {
  constructor(private readonly database: Database) {}

  /** The device's row is locked. Throws `provisioning.order_pending` where one waits already. */
  async add(tx: EntityManager, order: Order, now: Date): Promise<void> {
    await tx.query(
      `UPDATE device_orders SET state = 'expired' WHERE device_id = $1 AND state = 'pending' AND expires_at <= $2`,
      [order.deviceId, now],
    );
    const added = await tx.query(
      `INSERT INTO device_orders (order_id, device_id, kind, state, reason, evidence, ticket, manufacturer, serial_number,
         requested_by, requested_at, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING RETURNING order_id`,
      [
        order.orderId,
        order.deviceId,
        order.kind,
        order.state,
        order.reason,
        order.evidence,
        order.ticket,
        order.factory?.manufacturer ?? null,
        order.factory?.serialNumber ?? null,
        order.requestedBy,
        order.requestedAt,
        order.expiresAt,
      ],
    );
    if (added.length === 0) throw new DomainError('provisioning.order_pending', { detail: order.deviceId });
  }

  /** Throws `provisioning.order_not_found`. */
  async mustFind(orderId: string): Promise<Order> {
    return this.one(
      await this.database.query<Row>('SELECT * FROM device_orders WHERE order_id = $1', [orderId]),
      orderId,
    );
  }

  async mustLock(tx: EntityManager, orderId: string): Promise<Order> {
    return this.one(await tx.query('SELECT * FROM device_orders WHERE order_id = $1 FOR UPDATE', [orderId]), orderId);
  }

  async decided(tx: EntityManager, { orderId, state, decidedBy, decidedAt, decisionReason }: Order): Promise<void> {
    await tx.query(
      `UPDATE device_orders SET state = $2, decided_by = $3, decided_at = $4, decision_reason = $5 WHERE order_id = $1`,
      [orderId, state, decidedBy, decidedAt, decisionReason],
    );
  }

  /** The devices enrolled: what let them in is used up. */
  async used(tx: EntityManager, deviceIds: readonly DeviceId[], now: Date): Promise<void> {
    await tx.query(
      `UPDATE device_orders SET used_at = $2 WHERE device_id = ANY($1) AND state = 'approved' AND used_at IS NULL`,
      [deviceIds, now],
    );
  }

  /** Newest first; one more than asked for. */
  async page({ state, device, limit, after }: OrderQuery, now: Date): Promise<Order[]> {
    const [ms, id] = after?.split('.') ?? [];
    const rows = await this.database.query<Row>(
      `SELECT * FROM device_orders
       WHERE ($1::text IS NULL OR CASE WHEN state = 'pending' AND expires_at <= $2 THEN 'expired' ELSE state END = $1)
         AND ($3::text IS NULL OR device_id = $3)
         AND ($4::timestamptz IS NULL OR (requested_at, order_id) < ($4, $5::uuid))
       ORDER BY requested_at DESC, order_id DESC LIMIT $6`,
      [state ?? null, now, device ?? null, ms === undefined ? null : new Date(Number(ms)), id ?? null, limit + 1],
    );
    return rows.map(orderOf);
  }

  /** Whether hardware was taken out of service for good, or serves another device. */
  async isTaken(tx: EntityManager, factory: NonNullable<Order['factory']>): Promise<boolean> {
    const rows = await tx.query(
      `SELECT 1 FROM devices WHERE manufacturer = $1 AND serial_number = $2
       UNION ALL SELECT 1 FROM spent_factory_identities WHERE manufacturer = $1 AND serial_number = $2 LIMIT 1`,
      [factory.manufacturer, factory.serialNumber],
    );
    return rows.length > 0;
  }

  async spend(tx: EntityManager, deviceId: DeviceId, factory: NonNullable<Order['factory']>, now: Date): Promise<void> {
    await tx.query(
      'INSERT INTO spent_factory_identities (manufacturer, serial_number, device_id, spent_at) VALUES ($1, $2, $3, $4)',
      [factory.manufacturer, factory.serialNumber, deviceId, now],
    );
  }

  private one(rows: readonly Row[], orderId: string): Order {
    const [row] = rows;
    if (!row) throw new DomainError('provisioning.order_not_found', { detail: orderId });
    return orderOf(row);
  }
}

function orderOf(row: Row): Order {
  return {
    orderId: row.order_id,
    deviceId: row.device_id,
    kind: row.kind,
    state: row.state,
    reason: row.reason,
    evidence: row.evidence,
    ticket: row.ticket,
    factory:
      row.manufacturer !== null && row.serial_number !== null
        ? { manufacturer: row.manufacturer, serialNumber: row.serial_number }
        : null,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at,
    expiresAt: row.expires_at,
    decidedBy: row.decided_by,
    decidedAt: row.decided_at,
    decisionReason: row.decision_reason,
    usedAt: row.used_at,
  };
}
