import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { LOGGER, type Logger } from '@outrider/platform/service';
import { type EpochOrder, type OpenEpochsBody, orderDocument, orderFor } from './epoch-order.js';
import { EpochOrdersRepository } from './epoch-orders.repository.js';

/** Devices of one transaction: short enough that their telemetry does not notice. */
const PAGE = 1_000;

/** Opens epochs: the device goes on in a new one from 1, and nothing of the old ones is taken live any more. */
@Injectable()
export class EpochOrders {
  constructor(
    private readonly database: Database,
    private readonly repository: EpochOrdersRepository,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws DomainError `telemetry.unknown_device` for one that has never sent anything */
  async show(deviceId: DeviceId) {
    const device = await this.repository.find(deviceId);
    if (!device) throw new DomainError('telemetry.unknown_device');
    const [orders, rollbacks] = await Promise.all([
      this.repository.orders(deviceId),
      this.repository.rollbacks(deviceId),
    ]);
    const { epoch, minEpoch, heldEpoch } = device;
    return { device_id: deviceId, epoch, min_epoch: minEpoch, held: heldEpoch !== null, orders, rollbacks };
  }

  /** @throws DomainError `telemetry.unknown_device` for one that has never sent anything */
  async open(deviceId: DeviceId, reason: string, operator: string) {
    const [order] = await this.openPage([deviceId], reason, operator);
    if (!order) throw new DomainError('telemetry.unknown_device');
    return orderDocument(order);
  }

  /** Page by page: what was opened stays so if a later page fails, and the same again opens the rest. */
  async openAll({ devices, reason }: OpenEpochsBody, operator: string): Promise<{ opened: number }> {
    if (devices !== 'held') return { opened: (await this.openPage(devices, reason, operator)).length };
    let opened = 0;
    for (;;) {
      const held = await this.repository.held('', PAGE);
      if (held.length === 0) return { opened };
      const ids = held.map(({ deviceId }) => deviceId);
      opened += (await this.openPage(ids, reason, operator)).length;
    }
  }

  async held(after: string, limit: number) {
    const page = await this.repository.held(after, limit);
    const last = page.at(-1);
    const items = page.map((device) => ({
      device_id: device.deviceId,
      epoch: Math.max(device.epoch, device.minEpoch),
      known_epoch: device.heldEpoch,
    }));
    return { items, next: page.length === limit && last ? last.deviceId : null };
  }

  private async openPage(ids: readonly DeviceId[], reason: string, operator: string): Promise<EpochOrder[]> {
    const orders = await this.database.transaction(async (tx) => {
      const opened = (await this.repository.lock(tx, ids)).map(orderFor);
      if (opened.length > 0) await this.repository.save(tx, opened, reason, operator);
      return opened;
    });
    for (const { deviceId, minEpoch, formerEpoch, wasHeld } of orders) {
      this.logger.warn({ deviceId, minEpoch, formerEpoch, wasHeld, operator, reason }, 'an epoch was opened');
    }
    return orders;
  }
}
