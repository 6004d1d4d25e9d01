import { Injectable } from '@nestjs/common';
import { deviceChanged } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database, Outbox } from '@outrider/platform/postgres';
import { type EntityManager, In } from 'typeorm';
import { DeviceRow } from './device.entity.js';
import { type DeviceQuery, deviceSnapshot } from './device.js';
import { type LifecycleEvent, transition } from './lifecycle.js';

@Injectable()
export class Devices {
  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
  ) {}

  find(deviceId: DeviceId): Promise<DeviceRow | null> {
    return this.database.transaction((tx) => tx.findOneBy(DeviceRow, { deviceId }));
  }

  /** By the registry's key. Several only where cross-signed manufacturers gave the same serial number. */
  findByFactoryIdentity(manufacturers: readonly string[], serialNumber: string): Promise<DeviceRow[]> {
    return this.database.transaction((tx) =>
      tx.findBy(DeviceRow, { manufacturer: In([...manufacturers]), serialNumber }),
    );
  }

  page({ limit, after, state }: DeviceQuery): Promise<DeviceRow[]> {
    return this.database.transaction((tx) => {
      const query = tx
        .createQueryBuilder(DeviceRow, 'device')
        .orderBy('device.device_id', 'ASC')
        .limit(limit + 1);
      if (after !== undefined) query.andWhere('device.device_id > :after', { after });
      if (state !== undefined) query.andWhere('device.state = :state', { state });
      return query.getMany();
    });
  }

  /** Everything that changes a device or its certificates holds this lock. */
  lock(tx: EntityManager, deviceId: DeviceId): Promise<DeviceRow | null> {
    return tx.findOne(DeviceRow, { where: { deviceId }, lock: { mode: 'pessimistic_write' } });
  }

  async mustLock(tx: EntityManager, deviceId: DeviceId): Promise<DeviceRow> {
    const device = await this.lock(tx, deviceId);
    if (!device) throw new DomainError('provisioning.device_not_found', { detail: deviceId });
    return device;
  }

  /** Adds those that clash with nothing; returns what was added. */
  async add(tx: EntityManager, rows: readonly DeviceRow[]): Promise<DeviceRow[]> {
    const inserted = await tx
      .createQueryBuilder()
      .insert()
      .into(DeviceRow)
      .values([...rows])
      .orIgnore()
      .returning('device_id')
      .execute();
    const ids = new Set((inserted.raw as { device_id: string }[]).map(({ device_id }) => device_id));
    const added = rows.filter(({ deviceId }) => ids.has(deviceId));
    for (const row of added) await this.outbox.add(tx, deviceChanged, deviceSnapshot(row), row.deviceId);
    return added;
  }

  /** Saves a change that others see: one version on, and told. */
  async save(tx: EntityManager, device: DeviceRow, now: Date): Promise<DeviceRow> {
    device.version += 1;
    device.changedAt = now;
    await tx.save(DeviceRow, device);
    await this.outbox.add(tx, deviceChanged, deviceSnapshot(device), device.deviceId);
    return device;
  }

  /** Moves a locked device by its lifecycle. Throws `provisioning.state_conflict` where that may not happen. */
  async move(tx: EntityManager, device: DeviceRow, event: LifecycleEvent, now: Date): Promise<DeviceRow> {
    const state = transition(device.state, event);
    if (state === undefined) {
      throw new DomainError('provisioning.state_conflict', { detail: `${device.deviceId} is ${device.state}` });
    }
    if (state === device.state) return device;
    device.state = state;
    return this.save(tx, device, now);
  }
}
