import { Injectable } from '@nestjs/common';
import { DomainError, type ErrorCode } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { In } from 'typeorm';
import { Manufacturers } from '../manufacturer/manufacturers.service.js';
import { DeviceRow } from './device.entity.js';
import { type DevicePatch, isSameRegistration, type Registration } from './device.js';
import { Devices } from './devices.repository.js';

export type RegistrationResult =
  | { readonly status: 200 | 201; readonly device: DeviceRow }
  | { readonly status: 409; readonly deviceId: DeviceId; readonly code: ErrorCode };

/** What operators do to the registry. */
@Injectable()
export class Registry {
  constructor(
    private readonly database: Database,
    private readonly devices: Devices,
    private readonly manufacturers: Manufacturers,
  ) {}

  /** Registers each; one that exists just so is no error, one that exists otherwise is a conflict of its own. Results in the order given. */
  register(registrations: readonly Registration[], now: Date): Promise<RegistrationResult[]> {
    return this.database.transaction(async (tx) => {
      await this.manufacturers.mustExist(tx, new Set(registrations.map(({ manufacturer }) => manufacturer)));
      // In one order for everyone, so that two imports wait for each other instead of deadlocking.
      const rows = registrations.map((registration) => newDevice(registration, now)).sort(byId);
      const firsts = rows.filter((row, i) => row.deviceId !== rows[i - 1]?.deviceId);
      const added = new Set((await this.devices.add(tx, firsts)).map(({ deviceId }) => deviceId));
      const stored = await tx.findBy(DeviceRow, { deviceId: In(firsts.map(({ deviceId }) => deviceId)) });
      const byDevice = new Map(stored.map((row) => [row.deviceId, row]));
      return registrations.map((registration) => {
        const device = byDevice.get(registration.device_id);
        if (!device || !isSameRegistration(device, registration)) {
          return { status: 409, deviceId: registration.device_id, code: 'provisioning.device_conflict' };
        }
        return { status: added.delete(device.deviceId) ? 201 : 200, device };
      });
    });
  }

  /** `ifMatch`: the version the caller saw. Errors: `provisioning.device_not_found`, `request.precondition_failed`. */
  change(deviceId: DeviceId, patch: DevicePatch, ifMatch: number | undefined, now: Date): Promise<DeviceRow> {
    return this.database.transaction(async (tx) => {
      const device = await this.devices.mustLock(tx, deviceId);
      if (ifMatch !== undefined && ifMatch !== device.version) throw new DomainError('request.precondition_failed');
      if (patch.vin !== undefined) device.vin = patch.vin;
      if (patch.labels !== undefined) device.labels = [...new Set(patch.labels)];
      if (patch.grants !== undefined) device.grants = [...new Set(patch.grants)];
      return this.devices.save(tx, device, now);
    });
  }

  /** For good. Its id goes onto the denylist by `RetiredDevices`. */
  retire(deviceId: DeviceId, now: Date): Promise<DeviceRow> {
    return this.database.transaction(async (tx) => {
      const device = await this.devices.mustLock(tx, deviceId);
      return this.devices.move(tx, device, { kind: 'retired' }, now);
    });
  }
}

function newDevice(given: Registration, now: Date): DeviceRow {
  return Object.assign(new DeviceRow(), {
    deviceId: given.device_id,
    manufacturer: given.manufacturer,
    serialNumber: given.serial_number,
    vin: given.vin ?? null,
    labels: [...new Set(given.labels ?? [])],
    grants: [...new Set(given.grants ?? [])],
    state: 'registered',
    attestation: 'none',
    minEpoch: 0,
    version: 1,
    blockChangedAt: null,
    deniedAt: null,
    createdAt: now,
    changedAt: now,
  } satisfies DeviceRow);
}

function byId(left: DeviceRow, right: DeviceRow): number {
  return left.deviceId < right.deviceId ? -1 : left.deviceId > right.deviceId ? 1 : 0;
}
