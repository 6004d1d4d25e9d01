import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { Conditions } from './conditions.js';

interface Row {
  readonly measured_at: Date;
  readonly speed_kmh: number | null;
  readonly longitude: number | null;
  readonly latitude: number | null;
  readonly health: string | null;
}

/** Vehicles' conditions, each attribute's last word (`merge`). */
@Injectable()
export class ConditionsRepository {
  constructor(private readonly database: Database) {}

  async find(deviceId: DeviceId): Promise<Conditions | undefined> {
    const [row] = await this.database.query<Row>(
      'SELECT measured_at, speed_kmh, longitude, latitude, health FROM device_attributes WHERE device_id = $1',
      [deviceId],
    );
    if (!row) return undefined;
    const { longitude, latitude } = row;
    return {
      measuredAtMs: row.measured_at.getTime(),
      speedKmh: row.speed_kmh ?? undefined,
      position: longitude === null || latitude === null ? undefined : { longitude, latitude },
      health: row.health ?? undefined,
    };
  }

  /** One statement for all; rows in device order, so that two replicas never wait for each other in a circle. */
  async save(conditions: ReadonlyMap<DeviceId, Conditions>): Promise<void> {
    const rows = [...conditions].sort(([a], [b]) => (a < b ? -1 : 1));
    await this.database.query(UPSERT, [
      rows.map(([deviceId]) => deviceId),
      rows.map(([, one]) => new Date(one.measuredAtMs)),
      rows.map(([, one]) => one.speedKmh ?? null),
      rows.map(([, one]) => one.position?.longitude ?? null),
      rows.map(([, one]) => one.position?.latitude ?? null),
      rows.map(([, one]) => one.health ?? null),
    ]);
  }
}

/** An older word fills in what is not known, and no more. */
const UPSERT = `
  INSERT INTO device_attributes AS a (device_id, measured_at, speed_kmh, longitude, latitude, health)
  SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::float8[], $4::float8[], $5::float8[], $6::text[])
  ON CONFLICT (device_id) DO UPDATE SET
    measured_at = greatest(a.measured_at, EXCLUDED.measured_at),
    speed_kmh = CASE WHEN EXCLUDED.measured_at >= a.measured_at THEN coalesce(EXCLUDED.speed_kmh, a.speed_kmh) ELSE coalesce(a.speed_kmh, EXCLUDED.speed_kmh) END,
    longitude = CASE WHEN EXCLUDED.measured_at >= a.measured_at THEN coalesce(EXCLUDED.longitude, a.longitude) ELSE coalesce(a.longitude, EXCLUDED.longitude) END,
    latitude = CASE WHEN EXCLUDED.measured_at >= a.measured_at THEN coalesce(EXCLUDED.latitude, a.latitude) ELSE coalesce(a.latitude, EXCLUDED.latitude) END,
    health = CASE WHEN EXCLUDED.measured_at >= a.measured_at THEN coalesce(EXCLUDED.health, a.health) ELSE coalesce(a.health, EXCLUDED.health) END`;
