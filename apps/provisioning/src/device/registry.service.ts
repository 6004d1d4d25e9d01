import { Injectable } from '@nestjs/common';
import type { ErrorCode } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { type IfMatch, requireMatch, versionTag } from '@outrider/platform/http';
import { Database } from '@outrider/platform/postgres';
import { type EntityManager, In } from 'typeorm';
import { type Act, changes } from '../history/history.js';
import { History } from '../history/history.repository.js';
import { Manufacturers } from '../manufacturer/manufacturers.service.js';
import { DeviceRow } from './device.entity.js';
import { CHANGEABLE, type DevicePatch, isSameRegistration, type Registration } from './device.js';
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
    private readonly history: History,
  ) {}

  /** Registers each; one that exists just so is no error, one that exists otherwise is a conflict of its own. Results in the order given. */
  register(registrations: readonly Registration[], who: string, now: Date): Promise<RegistrationResult[]> {
    return this.database.transaction((tx) => this.registerIn(tx, registrations, { who, why: 'registered' }, now));
  }

  /** The same within `tx`. */
  async registerIn(
    tx: EntityManager,
    registrations: readonly Registration[],
    act: Act,
    now: Date,
  ): Promise<RegistrationResult[]> {
    await this.manufacturers.mustExist(tx, new Set(registrations.map(({ manufacturer }) => manufacturer)));
    // In one order for everyone, so that two imports wait for each other instead of deadlocking.
    const rows = registrations.map((registration) => newDevice(registration, now)).sort(byId);
    const firsts = rows.filter((row, i) => row.deviceId !== rows[i - 1]?.deviceId);
    const added = await this.devices.add(tx, firsts, act);
    const news = new Set(added.map(({ deviceId }) => deviceId));
    const others = firsts.flatMap(({ deviceId }) => (news.has(deviceId) ? [] : [deviceId]));
    const stored = others.length === 0 ? [] : await tx.findBy(DeviceRow, { deviceId: In(others) });
    const byDevice = new Map([...added, ...stored].map((row) => [row.deviceId, row]));
    return registrations.map((registration) => {
      const device = byDevice.get(registration.device_id);
      if (!device || !isSameRegistration(device, registration)) {
        return { status: 409, deviceId: registration.device_id, code: 'provisioning.device_conflict' };
      }
      return { status: news.delete(device.deviceId) ? 201 : 200, device };
    });
  }

  /** What the caller saw must be what is there (`ifMatch`). Errors: `provisioning.device_not_found`, `request.precondition_failed`. */
  change(deviceId: DeviceId, patch: DevicePatch, ifMatch: IfMatch, who: string, now: Date): Promise<DeviceRow> {
    return this.database.transaction(async (tx) => {
      const device = await this.devices.mustLock(tx, deviceId);
      requireMatch(ifMatch, versionTag(device.version));
      const before = pick(device);
      if (patch.vin !== undefined) device.vin = patch.vin;
      if (patch.hardware !== undefined) device.hardware = patch.hardware;
      if (patch.labels !== undefined) device.labels = [...new Set(patch.labels)];
      if (patch.grants !== undefined) device.grants = [...new Set(patch.grants)];
      const detail = changes(before, pick(device), CHANGEABLE);
      if (Object.keys(detail).length === 0) return device;
      await this.devices.saveAll(tx, [device], now);
      const act = { who, why: patch.reason ?? 'changed by an operator', ticket: patch.ticket, detail };
      const { state } = device;
      await this.history.addAll(tx, [{ ...act, deviceId, from: state, to: state, event: 'changed', at: now }]);
      return device;
    });
  }
}

/** Copies of what may change. */
function pick({ vin, hardware, labels, grants }: DeviceRow) {
  return { vin, hardware, labels: [...labels], grants: [...grants] };
}

/** Its row, as a registration first makes it. */
export function newDevice(given: Registration, now: Date): DeviceRow {
  return Object.assign(new DeviceRow(), {
    deviceId: given.device_id,
    manufacturer: given.manufacturer,
    serialNumber: given.serial_number,
    vin: given.vin ?? null,
    hardware: given.hardware ?? null,
    labels: [...new Set(given.labels ?? [])],
    grants: [...new Set(given.grants ?? [])],
    state: 'registered',
    holds: [],
    resumes: null,
    inWorkshop: false,
    attestation: 'none',
    minEpoch: 0,
    version: 1,
    blockChangedAt: null,
    revokedAt: null,
    revocationRecoveredUpTo: null,
    recoveredAt: null,
    createdAt: now,
    changedAt: now,
  } satisfies DeviceRow);
}

function byId(left: DeviceRow, right: DeviceRow): number {
  return left.deviceId < right.deviceId ? -1 : left.deviceId > right.deviceId ? 1 : 0;
}
