import { Injectable } from '@nestjs/common';
import { deviceChanged, deviceDenied } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database, Outbox, outboxMessage } from '@outrider/platform/postgres';
import { type EntityManager, In } from 'typeorm';
import type { Act } from '../history/history.js';
import { History } from '../history/history.repository.js';
import { denial, kindOf, type LifecycleEvent, type Standing, transition } from '../lifecycle/lifecycle.js';
import { Orders } from '../order/orders.repository.js';
import { DeviceRow } from './device.entity.js';
import { deviceSnapshot } from './device.js';

@Injectable()
export class Devices {
  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
    private readonly history: History,
    private readonly orders: Orders,
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

  /** Everything that changes a device or its certificates holds this lock. */
  lock(tx: EntityManager, deviceId: DeviceId): Promise<DeviceRow | null> {
    return tx.findOne(DeviceRow, { where: { deviceId }, lock: { mode: 'pessimistic_write' } });
  }

  async mustLock(tx: EntityManager, deviceId: DeviceId): Promise<DeviceRow> {
    const device = await this.lock(tx, deviceId);
    if (!device) throw new DomainError('provisioning.device_not_found', { detail: deviceId });
    return device;
  }

  /** Adds those that clash with nothing, in their order, with history and events: a statement each, however many. Returns what was added. */
  async add(tx: EntityManager, rows: readonly DeviceRow[], act: Act): Promise<DeviceRow[]> {
    if (rows.length === 0) return [];
    const inserted: { device_id: string }[] = await tx.query(INSERT, [JSON.stringify(rows.map(columns))]);
    const ids = new Set(inserted.map(({ device_id }) => device_id));
    const added = rows.filter(({ deviceId }) => ids.has(deviceId));
    await this.history.addAll(
      tx,
      added.map(({ deviceId, state, createdAt }) => ({
        ...act,
        deviceId,
        from: null,
        to: state,
        event: 'registered',
        at: createdAt,
      })),
    );
    await this.outbox.addAll(
      tx,
      added.map((row) => outboxMessage(deviceChanged, deviceSnapshot(row), row.deviceId)),
    );
    return added;
  }

  /** Saves changes that others see, of locked devices: one version on, and told. One statement, however many. */
  async saveAll(tx: EntityManager, devices: readonly DeviceRow[], now: Date): Promise<void> {
    if (devices.length === 0) return;
    for (const device of devices) Object.assign(device, { version: device.version + 1, changedAt: now });
    await tx.query(UPDATE, [JSON.stringify(devices.map(columns))]);
    await this.outbox.addAll(
      tx,
      devices.map((device) => outboxMessage(deviceChanged, deviceSnapshot(device), device.deviceId)),
    );
  }

  /** Moves one locked device. Throws `provisioning.state_conflict` where that may not happen. */
  async move(tx: EntityManager, device: DeviceRow, event: LifecycleEvent, act: Act, now: Date): Promise<DeviceRow> {
    await this.moveAll(tx, [{ device, event, act }], now);
    return device;
  }

  /**
   * Moves locked devices by their lifecycle, with their history and events: a statement each for rows, history and events, and none
   * at all where nothing changes. Throws `provisioning.state_conflict` before anything is written where one may not move so.
   */
  async moveAll(tx: EntityManager, moves: readonly Move[], now: Date): Promise<void> {
    const moved = moves.flatMap((move) => {
      const before = standingOf(move.device);
      const after = transition(before, move.event);
      if (after === undefined) throw refused(move.device, move.event);
      return after !== before || move.always ? [{ ...move, before, after }] : [];
    });
    for (const { device, after } of moved) Object.assign(device, { ...after, holds: [...after.holds] });
    await this.saveAll(
      tx,
      moved.map(({ device }) => device),
      now,
    );
    await this.history.addAll(
      tx,
      moved.map(({ device, event, act, before, after }) => ({
        ...act,
        deviceId: device.deviceId,
        from: before.state,
        to: after.state,
        event: kindOf(event),
        at: now,
      })),
    );
    await this.outbox.addAll(tx, moved.flatMap(denialMessage));
    const back = moved.filter(({ device, event }) => event.kind === 'enrolled' && device.recoveredAt !== null);
    if (back.length > 0) {
      const ids = back.map(({ device }) => device.deviceId);
      await this.orders.used(tx, ids, now);
    }
  }
}

/** `device`: its row, locked. `always`: written down even where the standing stays as it is. */
export interface Move {
  readonly device: DeviceRow;
  readonly event: LifecycleEvent;
  readonly act: Act;
  readonly always?: boolean;
}

/** A row from before there were holds: a block was all that quarantined. */
function standingOf({ state, holds, resumes, inWorkshop }: DeviceRow): Standing {
  return { state, holds: state === 'quarantined' && holds.length === 0 ? ['block'] : holds, resumes, inWorkshop };
}

function denialMessage({ device, before, after }: { device: DeviceRow; before: Standing; after: Standing }) {
  const [was, is] = [denial(before), denial(after)];
  if (was?.mode === is?.mode && was?.reason === is?.reason) return [];
  const { deviceId, version, changedAt } = device;
  const event = { deviceId, version, at: changedAt.toISOString(), ...(is ?? {}) };
  return [outboxMessage(deviceDenied, event, deviceId)];
}

function refused({ deviceId, state }: DeviceRow, event: LifecycleEvent): DomainError {
  return new DomainError('provisioning.state_conflict', {
    detail: `${deviceId} is ${state}: ${kindOf(event)} may not happen`,
  });
}

const COLUMNS = `device_id, manufacturer, serial_number, vin, hardware, labels, grants, state, holds, resumes, in_workshop, attestation,
  min_epoch, version, block_changed_at, revoked_at, revocation_recovered_up_to, recovered_at, created_at, changed_at`;

const RECORDS = `jsonb_to_recordset($1::jsonb) AS c(device_id text, manufacturer text, serial_number text, vin text, hardware text,
    labels text[], grants text[], state text, holds text[], resumes text, in_workshop boolean, attestation text, min_epoch integer,
    version integer, block_changed_at timestamptz, revoked_at timestamptz, revocation_recovered_up_to timestamptz,
    recovered_at timestamptz, created_at timestamptz, changed_at timestamptz)`;

const INSERT = `INSERT INTO devices (${COLUMNS}) SELECT ${COLUMNS} FROM ${RECORDS} ON CONFLICT DO NOTHING RETURNING device_id`;

/** What may change of a device, once it is there. */
const UPDATE = `
  UPDATE devices d SET manufacturer = c.manufacturer, serial_number = c.serial_number, vin = c.vin, hardware = c.hardware,
    labels = c.labels, grants = c.grants, state = c.state, holds = c.holds, resumes = c.resumes, in_workshop = c.in_workshop,
    attestation = c.attestation, min_epoch = c.min_epoch, version = c.version, block_changed_at = c.block_changed_at,
    revoked_at = c.revoked_at, revocation_recovered_up_to = c.revocation_recovered_up_to, recovered_at = c.recovered_at,
    changed_at = c.changed_at
  FROM ${RECORDS} WHERE d.device_id = c.device_id`;

function columns(device: DeviceRow) {
  return {
    device_id: device.deviceId,
    manufacturer: device.manufacturer,
    serial_number: device.serialNumber,
    vin: device.vin,
    hardware: device.hardware,
    labels: device.labels,
    grants: device.grants,
    state: device.state,
    holds: device.holds,
    resumes: device.resumes,
    in_workshop: device.inWorkshop,
    attestation: device.attestation,
    min_epoch: device.minEpoch,
    version: device.version,
    block_changed_at: device.blockChangedAt,
    revoked_at: device.revokedAt,
    revocation_recovered_up_to: device.revocationRecoveredUpTo,
    recovered_at: device.recoveredAt,
    created_at: device.createdAt,
    changed_at: device.changedAt,
  };
}
