import { randomBytes, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { LOGGER, type Logger, Metrics } from '@outrider/platform/service';
import { type Connection, inTransaction } from '../store/connection.provider.js';
import {
  type FetchOrder,
  type HeldRequest,
  MAX_OPEN,
  MAX_VALID_SECONDS,
  OrderId,
  type OrderRequest,
  type OrderView,
  orderDocument,
  orderView,
} from './fetch-order.js';
import { FetchOrdersRepository, type StoredOrder } from './fetch-orders.repository.js';
import { planOrder, type Want } from './when-to-order.js';

const LISTED = 200;
const PLATFORM = 'platform';

/** Asks vehicles for parts of their logs: by itself where the live path cannot bring them any more, or for an operator. */
@Injectable()
export class FetchOrders {
  private readonly issued;

  constructor(
    private readonly database: Database,
    private readonly orders: FetchOrdersRepository,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.issued = metrics.counter('outrider_telemetry_fetch_orders_total', 'Fetch orders issued.', ['reason']);
  }

  /** What the vehicle is told at its next contact. */
  async open(deviceId: DeviceId): Promise<OrderView[]> {
    return (await this.orders.open(deviceId)).map(orderView);
  }

  /** A vehicle says what it holds; answers with all orders open for it. */
  async held(deviceId: DeviceId, { stream, epoch, held }: HeldRequest): Promise<OrderView[]> {
    await this.issueFor(deviceId, [{ stream, epoch, ranges: held, reason: 'held' }]);
    return this.open(deviceId);
  }

  /** Issues what the decision asks for, one transaction. Gives the number of orders made. */
  async issueFor(deviceId: DeviceId, wants: readonly Want[]): Promise<number> {
    const made = await inTransaction(this.database, async (tx) => {
      const orders: FetchOrder[] = [];
      for (const want of wants) {
        const order = await this.issueOne(tx, deviceId, want);
        if (order) orders.push(order);
      }
      return orders;
    });
    for (const { id, stream, epoch, ranges, reason } of made) {
      this.issued.inc({ reason });
      this.logger.info({ deviceId, orderId: id, stream, epoch, ranges, reason }, 'a fetch order was issued');
    }
    return made.length;
  }

  /** @throws DomainError `telemetry.unknown_device`, `telemetry.too_many_orders` */
  async issueByOperator(deviceId: DeviceId, request: OrderRequest, operator: string) {
    const order = await inTransaction(this.database, async (tx) => {
      if (!(await this.orders.lockDevice(tx, deviceId, request.stream)))
        throw new DomainError('telemetry.unknown_device');
      const { all } = await this.orders.countOpen(tx, deviceId);
      if (all >= MAX_OPEN) throw new DomainError('telemetry.too_many_orders', { detail: `${all} are open` });
      const { stream, epoch, ranges, reason, validSeconds } = request;
      return this.orders.issue(tx, { ...fresh(deviceId, operator), stream, epoch, ranges, reason }, validSeconds);
    });
    this.issued.inc({ reason: 'operator' });
    return orderDocument(order, undefined, order.issuedAt);
  }

  async list(deviceId: DeviceId) {
    const now = new Date();
    return {
      items: (await this.orders.list(deviceId, LISTED)).map(({ order, end }) => orderDocument(order, end, now)),
      next: null,
    };
  }

  /** @throws DomainError `telemetry.order_not_found`, `telemetry.order_used` where it has ended before */
  async cancel(deviceId: DeviceId, id: OrderId, operator: string) {
    await this.mustFind(deviceId, id);
    const ended = await inTransaction(this.database, (tx) => this.orders.end(tx, deviceId, id, 'cancelled', operator));
    const { order, end } = await this.mustFind(deviceId, id);
    if (!ended && end?.how !== 'cancelled') throw new DomainError('telemetry.order_used');
    return orderDocument(order, end, new Date());
  }

  private async mustFind(deviceId: DeviceId, id: OrderId): Promise<StoredOrder> {
    const found = await this.orders.find(deviceId, id);
    if (!found) throw new DomainError('telemetry.order_not_found');
    return found;
  }

  private async issueOne(tx: Connection, deviceId: DeviceId, want: Want): Promise<FetchOrder | undefined> {
    const standing = await this.orders.lockDevice(tx, deviceId, want.stream);
    if (!standing) return undefined;
    const { automatic } = await this.orders.countOpen(tx, deviceId);
    const earlier = await this.orders.ofStream(tx, deviceId, want.stream, want.epoch);
    const now = new Date();
    // An order that nobody answered in time is no reason not to ask again.
    const settled = earlier.filter(({ order, end }) => end !== undefined || order.expiresAt > now);
    const plan = planOrder(want, {
      openAutomatic: automatic,
      epoch: standing.epoch,
      highest: standing.highest,
      settled: settled.flatMap(({ order }) => order.ranges),
    });
    if (!plan) return undefined;
    return this.orders.issue(tx, { ...fresh(deviceId, PLATFORM), ...plan }, MAX_VALID_SECONDS);
  }
}

function fresh(deviceId: DeviceId, issuedBy: string) {
  return { deviceId, issuedBy, id: OrderId.parse(randomUUID()), nonce: randomBytes(32).toString('base64url') };
}
