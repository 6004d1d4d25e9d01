import { Injectable } from '@nestjs/common';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import type { EntityManager } from 'typeorm';
import type { LastAsk } from './clone.js';
import { type AskMemory, CloneMemory } from './clone-memory.js';

interface LastAskRow {
  readonly device_id: DeviceId;
  readonly presented: Thumbprint;
  readonly key_thumbprint: string;
  readonly remote_address: string;
  readonly at: Date;
}

/** What clone detection remembers: a row a device, and a row for each factory key of a device. Many at a time, devices locked. */
@Injectable()
export class CloneFactsRepository {
  async memory(
    tx: EntityManager,
    deviceIds: readonly DeviceId[],
    factoryKeys: readonly string[],
  ): Promise<CloneMemory> {
    return new CloneMemory(await this.lastAsks(tx, deviceIds), await this.factoryKeyHolders(tx, factoryKeys));
  }

  private async lastAsks(tx: EntityManager, deviceIds: readonly DeviceId[]): Promise<Map<DeviceId, LastAsk>> {
    const rows: LastAskRow[] = await tx.query('SELECT * FROM last_asks WHERE device_id = ANY($1)', [deviceIds]);
    return new Map(
      rows.map((row) => [
        row.device_id,
        { presented: row.presented, keyThumbprint: row.key_thumbprint, remoteAddress: row.remote_address, at: row.at },
      ]),
    );
  }

  private async factoryKeyHolders(tx: EntityManager, keys: readonly string[]): Promise<Map<string, DeviceId[]>> {
    if (keys.length === 0) return new Map();
    const rows: { key_thumbprint: string; device_id: DeviceId }[] = await tx.query(
      'SELECT key_thumbprint, device_id FROM factory_keys WHERE key_thumbprint = ANY($1) ORDER BY seen_at LIMIT 1000',
      [keys],
    );
    const groups = Map.groupBy(rows, (row) => row.key_thumbprint);
    return new Map([...groups].map(([key, holders]) => [key, holders.map((row) => row.device_id)]));
  }

  async remember(tx: EntityManager, asks: readonly AskMemory[]): Promise<void> {
    if (asks.length === 0) return;
    // The last of each device, in one order for everyone.
    const last = [...new Map(asks.map((ask) => [ask.deviceId, ask])).values()].sort(byDevice);
    await tx.query(
      `INSERT INTO last_asks (device_id, presented, key_thumbprint, remote_address, at)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
       ON CONFLICT (device_id) DO UPDATE SET presented = EXCLUDED.presented, key_thumbprint = EXCLUDED.key_thumbprint,
         remote_address = EXCLUDED.remote_address, at = EXCLUDED.at`,
      [
        last.map((ask) => ask.deviceId),
        last.map((ask) => ask.presented),
        last.map((ask) => ask.keyThumbprint),
        last.map((ask) => ask.remoteAddress),
        last.map((ask) => ask.at),
      ],
    );
    const factory = asks.filter((ask) => ask.factoryKeyThumbprint !== undefined).sort(byDevice);
    if (factory.length === 0) return;
    await tx.query(
      `INSERT INTO factory_keys (key_thumbprint, device_id, seen_at)
       SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) ON CONFLICT DO NOTHING`,
      [
        factory.map((ask) => ask.factoryKeyThumbprint),
        factory.map((ask) => ask.deviceId),
        factory.map((ask) => ask.at),
      ],
    );
  }
}

function byDevice(left: AskMemory, right: AskMemory): number {
  return left.deviceId < right.deviceId ? -1 : left.deviceId > right.deviceId ? 1 : 0;
}
