import { Injectable } from '@nestjs/common';
import type { DeviceId, StreamName } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { mutableWindow, restoreWindow } from '@outrider/replay-window';
import type { QueryConfig } from 'pg';
import { byteaArray, float8Array, int4Array, int8Array, textArray } from '../store/binary-array.js';
import type { Connection } from '../store/connection.provider.js';
import type { DeviceState } from './decide-batch.js';

interface DeviceRow {
  device_id: DeviceId;
  epoch: number;
  min_epoch: number;
  held_epoch: number | null;
  raised_at: Date | null;
  orders_until: Date | null;
  backfilled: boolean;
  received_at: Date;
}

interface WindowRow {
  device_id: DeviceId;
  stream: StreamName;
  highest: string;
  bits: Buffer;
}

/** Devices under their lock. `receivedAt`: the transaction's start by PostgreSQL's clock, to the millisecond. */
export interface LockedDevices {
  readonly devices: Map<DeviceId, DeviceState>;
  readonly receivedAt: Date;
}

/** A window to be written back. */
export interface MovedWindow {
  readonly deviceId: DeviceId;
  readonly stream: StreamName;
}

/** Devices and their windows. The row in `devices` is the lock over everything of that device, also over windows not made yet. */
@Injectable()
export class WindowsRepository {
  constructor(private readonly database: Database) {}

  /** Adds devices never heard of before; by itself, since inserting while holding locks would break the order of locks. */
  async register(deviceIds: readonly DeviceId[]): Promise<void> {
    await this.database.query(
      'INSERT INTO devices (device_id) SELECT id FROM unnest($1::text[]) AS t(id) ORDER BY id ON CONFLICT DO NOTHING',
      [deviceIds],
    );
  }

  /** Locks in device order, then reads: two statements, so that the windows read are those of the last holder. Unregistered devices are absent. */
  async lock(tx: Connection, deviceIds: readonly DeviceId[]): Promise<LockedDevices> {
    const values = [textArray(deviceIds)];
    // Sent together: the second begins when the first has all its locks.
    const [locked, windows] = await Promise.all([
      tx.query<DeviceRow>({ name: 'devices.lock', text: LOCK_DEVICES, values }),
      tx.query<WindowRow>({ name: 'windows.read', text: READ_WINDOWS, values }),
    ]);
    const devices = new Map(locked.rows.map((row) => [row.device_id, toState(row)]));
    addWindows(devices, windows.rows);
    return { devices, receivedAt: locked.rows[0]?.received_at ?? new Date(0) };
  }

  /** One device without its lock, to be told to the vehicle; undefined when it has never sent anything. */
  async find(deviceId: DeviceId): Promise<DeviceState | undefined> {
    const rows = await this.database.query<DeviceRow>(
      'SELECT device_id, epoch, min_epoch, held_epoch, raised_at, orders_until, backfilled FROM devices WHERE device_id = $1',
      [deviceId],
    );
    if (rows.length === 0) return undefined;
    const devices = new Map(rows.map((row) => [row.device_id, toState(row)]));
    addWindows(devices, await this.database.query<WindowRow>(READ_WINDOWS, [[deviceId]]));
    return devices.get(deviceId);
  }

  /** The statement that writes windows back. */
  windowsUpdate(devices: ReadonlyMap<DeviceId, DeviceState>, moved: readonly MovedWindow[]): QueryConfig {
    const rows = moved.map(({ deviceId, stream }) => {
      const device = devices.get(deviceId)!;
      return { deviceId, stream, epoch: device.epoch, window: device.windows.get(stream)! };
    });
    return {
      name: 'windows.save',
      text: `
        INSERT INTO windows (device_id, stream, epoch, highest, bits)
        SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bytea[])
        ON CONFLICT (device_id, stream, epoch) DO UPDATE SET highest = excluded.highest, bits = excluded.bits`,
      values: [
        textArray(rows.map((r) => r.deviceId)),
        textArray(rows.map((r) => r.stream)),
        int4Array(rows.map((r) => r.epoch)),
        int8Array(rows.map((r) => r.window.highest)),
        byteaArray(rows.map((r) => r.window.bits)),
      ],
    };
  }

  /** The statement that writes raised epochs back. */
  epochsUpdate(devices: ReadonlyMap<DeviceId, DeviceState>, raised: readonly DeviceId[]): QueryConfig {
    const states = raised.map((id) => devices.get(id)!);
    return {
      name: 'devices.save',
      text: `
        UPDATE devices d SET epoch = r.epoch, raised_at = to_timestamp(r.raised_ms / 1000)
        FROM unnest($1::text[], $2::int[], $3::float8[]) AS r(device_id, epoch, raised_ms)
        WHERE d.device_id = r.device_id`,
      values: [
        textArray(raised),
        int4Array(states.map((s) => s.epoch)),
        float8Array(states.map((s) => s.raisedAtMs ?? null)),
      ],
    };
  }
}

const LOCK_DEVICES = `
  SELECT device_id, epoch, min_epoch, held_epoch, raised_at, orders_until, backfilled, now() AS received_at FROM devices
  WHERE device_id = ANY($1::text[]) ORDER BY device_id FOR NO KEY UPDATE`;

/** Those of the present epoch: of earlier ones nothing is taken here any more. */
const READ_WINDOWS = `
  SELECT w.device_id, w.stream, w.highest, w.bits FROM devices d JOIN windows w USING (device_id)
  WHERE d.device_id = ANY($1::text[]) AND w.epoch = greatest(d.epoch, d.min_epoch)`;

function toState(row: DeviceRow): DeviceState {
  return {
    epoch: row.epoch,
    minEpoch: row.min_epoch,
    held: row.held_epoch !== null,
    raisedAtMs: row.raised_at?.getTime(),
    ordersUntil: row.orders_until ?? undefined,
    backfilled: row.backfilled,
    windows: new Map(),
  };
}

function addWindows(devices: ReadonlyMap<DeviceId, DeviceState>, rows: readonly WindowRow[]): void {
  for (const { device_id, stream, highest, bits } of rows) {
    devices.get(device_id)?.windows.set(stream, mutableWindow(restoreWindow(Number(highest), bits)));
  }
}
