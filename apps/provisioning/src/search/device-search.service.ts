import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { In } from 'typeorm';
import { DeviceRow } from '../device/device.entity.js';
import { cursorOf, type DeviceSearch, searchStatement } from './device-search.js';

export interface DevicePage {
  readonly items: readonly DeviceRow[];
  /** Where the next page begins; null for the last. */
  readonly next: string | null;
}

@Injectable()
export class DeviceSearches {
  constructor(private readonly database: Database) {}

  page(search: DeviceSearch, now: Date): Promise<DevicePage> {
    return this.database.transaction(async (tx) => {
      const { sql, parameters } = searchStatement(search, now);
      const found: { device_id: DeviceId }[] = await tx.query(sql, [...parameters]);
      const ids = found.slice(0, search.limit).map(({ device_id }) => device_id);
      const rows = new Map((await tx.findBy(DeviceRow, { deviceId: In(ids) })).map((row) => [row.deviceId, row]));
      const last = ids.at(-1);
      return {
        items: ids.flatMap((id) => rows.get(id) ?? []),
        next: found.length > ids.length && last ? cursorOf(last) : null,
      };
    });
  }
}
