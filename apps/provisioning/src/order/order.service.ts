import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { deviceRecovered } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { type IfMatch, requireMatch, versionTag } from '@outrider/platform/http';
import { Database, Outbox } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { Certificates } from '../certificate/certificates.repository.js';
import type { DeviceRow } from '../device/device.entity.js';
import { Devices } from '../device/devices.repository.js';
import type { Act } from '../history/history.js';
import { History } from '../history/history.repository.js';
import { transition } from '../lifecycle/lifecycle.js';
import { Manufacturers } from '../manufacturer/manufacturers.service.js';
import {
  type DecisionBody,
  decide,
  eventOf,
  type Order,
  type OrderBody,
  recovers,
  requestOrder,
  requireKnown,
} from './order.js';
import { Orders } from './orders.repository.js';

/** What it takes two operators to do: one asks, another decides, and the decision is carried out with it. */
@Injectable()
export class OrderService {
  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
    private readonly orders: Orders,
    private readonly devices: Devices,
    private readonly certificates: Certificates,
    private readonly manufacturers: Manufacturers,
    private readonly history: History,
  ) {}

  /** Throws `provisioning.device_not_found`, `.state_conflict`, `.evidence_required`, `.order_pending`, `.factory_identity_refused`. */
  request(deviceId: DeviceId, body: OrderBody, ifMatch: IfMatch, who: string, now: Date): Promise<Order> {
    return this.database.transaction(async (tx) => {
      const device = await this.devices.mustLock(tx, deviceId);
      requireMatch(ifMatch, versionTag(device.version));
      const order = requestOrder(deviceId, body, { orderId: randomUUID(), who, now });
      requirePossible(device, order);
      await this.requireFree(tx, order);
      await this.orders.add(tx, order, now);
      await this.note(
        tx,
        device,
        { who, why: order.reason, ticket: body.ticket },
        `${order.kind}_requested`,
        order,
        now,
      );
      return order;
    });
  }

  reject(orderId: string, { reason }: DecisionBody, who: string, now: Date): Promise<Order> {
    return this.withOrder(orderId, async (tx, device, pending) => {
      const order = decide(pending, 'rejected', { who, reason, now });
      await this.orders.decided(tx, order);
      await this.note(tx, device, { who, why: reason ?? 'rejected' }, `${order.kind}_rejected`, order, now);
      return order;
    });
  }

  /** Approves and carries out. The device may have moved since: what is no longer possible is a `provisioning.state_conflict`. */
  approve(orderId: string, { reason }: DecisionBody, who: string, now: Date): Promise<Order> {
    return this.withOrder(orderId, async (tx, device, pending) => {
      const order = decide(pending, 'approved', { who, reason, now });
      requireKnown(order, device);
      await this.orders.decided(tx, order);
      await this.carryOut(tx, device, order, now);
      return order;
    });
  }

  private async carryOut(tx: EntityManager, device: DeviceRow, order: Order, now: Date): Promise<void> {
    const { deviceId } = device;
    const before = device.state;
    const { requestedBy, evidence, decisionReason, orderId, kind } = order;
    const { revokedAt, blockChangedAt } = device;
    if (order.factory) {
      await this.requireFree(tx, order);
      const old = { manufacturer: device.manufacturer, serialNumber: device.serialNumber };
      await this.orders.spend(tx, deviceId, old, now);
      Object.assign(device, order.factory);
    }
    Object.assign(device, { recoveredAt: now, revocationRecoveredUpTo: revokedAt } satisfies Partial<DeviceRow>);
    const who = order.decidedBy as string;
    const detail = { order_id: orderId, requested_by: requestedBy, evidence, decision_reason: decisionReason };
    const act: Act = { who, why: order.reason, ticket: order.ticket ?? undefined, detail };
    await this.devices.moveAll(tx, [{ device, event: eventOf(kind), act, always: true }], now);
    await this.certificates.endAll(tx, deviceId, now);
    if (!recovers(before)) return;
    const event = {
      deviceId,
      orderId,
      kind,
      ...(revokedAt ? { revokedUpTo: revokedAt.toISOString() } : {}),
      ...(blockChangedAt ? { blockedUpTo: blockChangedAt.toISOString() } : {}),
      reason: order.reason,
      requestedBy,
      approvedBy: who,
      at: now.toISOString(),
    };
    await this.outbox.add(tx, deviceRecovered, event, deviceId);
  }

  /** Both rows locked, the device's first: in the order of everyone else. */
  private async withOrder(
    orderId: string,
    work: (tx: EntityManager, device: DeviceRow, order: Order) => Promise<Order>,
  ): Promise<Order> {
    const { deviceId } = await this.orders.mustFind(orderId);
    return this.database.transaction(async (tx) => {
      const device = await this.devices.mustLock(tx, deviceId);
      return work(tx, device, await this.orders.mustLock(tx, orderId));
    });
  }

  private async requireFree(tx: EntityManager, { factory }: Order): Promise<void> {
    if (!factory) return;
    await this.manufacturers.mustExist(tx, new Set([factory.manufacturer]));
    if (await this.orders.isTaken(tx, factory)) throw new DomainError('provisioning.factory_identity_refused');
  }

  /** What changes no state is history too. */
  private note(tx: EntityManager, device: DeviceRow, act: Act, event: string, order: Order, at: Date): Promise<void> {
    const { deviceId, state } = device;
    const detail = { order_id: order.orderId };
    return this.history.addAll(tx, [{ ...act, detail, deviceId, from: state, to: state, event, at }]);
  }
}

function requirePossible(device: DeviceRow, { kind }: Order): void {
  if (transition(device, eventOf(kind))) return;
  throw new DomainError('provisioning.state_conflict', {
    detail: `${device.deviceId} is ${device.state}: no order of ${kind}`,
  });
}
