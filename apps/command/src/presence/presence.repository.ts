import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';

/** When each vehicle was last known to be connected, whichever replica held it. */
@Injectable()
export class PresenceRepository {
  constructor(private readonly database: Database) {}

  async of(tx: EntityManager, deviceIds: readonly DeviceId[]): Promise<Map<DeviceId, Date>> {
    if (deviceIds.length === 0) return new Map();
    const rows = await tx.query<{ device_id: DeviceId; seen_at: Date }[]>(
      'SELECT device_id, seen_at FROM presence WHERE device_id = ANY($1)',
      [deviceIds],
    );
    return new Map(rows.map(({ device_id, seen_at }) => [device_id, seen_at]));
  }

  /** Forward only: replicas may report late. */
  async save(seen: ReadonlyMap<DeviceId, Date>): Promise<void> {
    if (seen.size === 0) return;
    await this.database.query(
      `INSERT INTO presence AS p (device_id, seen_at)
       SELECT * FROM unnest($1::text[], $2::timestamptz[]) AS n (device_id, seen_at) ORDER BY device_id
       ON CONFLICT (device_id) DO UPDATE SET seen_at = EXCLUDED.seen_at WHERE p.seen_at < EXCLUDED.seen_at`,
      [[...seen.keys()], [...seen.values()]],
    );
  }
}
