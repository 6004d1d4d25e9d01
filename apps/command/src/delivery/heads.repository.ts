import { Injectable } from '@nestjs/common';
import type { CommandId, DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { policyWordOf } from '../catalogue/catalogue.js';
import { CatalogueStore } from '../catalogue/catalogue.store.js';
import { CommandRow } from '../command/command.entity.js';
import type { Command } from '../command/command.js';
import type { Counter } from '../signing/command-payload.js';
import type { Head } from './delivery.js';

/** Literal, so that the planner sees the partial index: open, and not past its expiry (the sweep ends those). */
const HEAD = `state IN ('queued', 'offered', 'challenged', 'released') AND (state = 'released' OR expires_at > $2)
  AND (not_before IS NULL OR not_before <= $2)`;

/** Locks what is still in the state it was read in, and counts for what is about to be released: one counter a release, under its row's lock. */
const CLAIM = `
  WITH locked AS (
    SELECT c.id, c.device_id, e.counts FROM commands c
    JOIN unnest($1::uuid[], $2::text[], $3::boolean[]) AS e (id, state, counts) ON c.id = e.id AND c.state = e.state
    ORDER BY c.device_id FOR UPDATE OF c
  ), counted AS (
    INSERT INTO counters AS c (device_id, epoch, counter) SELECT device_id, 1, 1 FROM locked WHERE counts
    ON CONFLICT (device_id) DO UPDATE SET counter = c.counter + 1 RETURNING device_id, epoch, counter
  )
  SELECT locked.id, counted.epoch, counted.counter FROM locked LEFT JOIN counted USING (device_id)`;

/** A command as it was read, and whether it is about to be released. */
export interface Claim {
  readonly command: Command;
  readonly counts: boolean;
}

@Injectable()
export class Heads {
  private columns: string | undefined;

  constructor(
    private readonly database: Database,
    private readonly catalogue: CatalogueStore,
  ) {}

  /** Whether a device in recovery mode may have it. */
  isRecovery(name: string): boolean {
    return policyWordOf(this.catalogue.kinds, name).recovery;
  }

  /** The oldest open command of each device, as it is at this moment; nothing is locked. `devices`: with whether each gets recovery commands alone. */
  async of(devices: ReadonlyMap<DeviceId, boolean>, now: Date): Promise<Map<DeviceId, Head>> {
    const rows = await this.database.query<CommandRow & { nonceBound: boolean | null }>(
      `SELECT ${this.selected()}, k.nonce_bound AS "nonceBound" FROM unnest($1::text[], $3::boolean[]) AS d (id, recovery)
       CROSS JOIN LATERAL (SELECT * FROM commands WHERE device_id = d.id AND ${HEAD}
         AND (NOT d.recovery OR name = ANY($4)) ORDER BY position LIMIT 1) AS c
       LEFT JOIN counters k ON k.device_id = d.id`,
      [[...devices.keys()], now, [...devices.values()], this.recoveryNames()],
    );
    return new Map(rows.map(({ nonceBound, ...row }) => [row.deviceId, headOf(row, nonceBound)]));
  }

  /** One command of a device; undefined when it is not this device's or does not exist. */
  async find(id: CommandId, deviceId: DeviceId): Promise<Head | undefined> {
    const [found] = await this.database.query<CommandRow & { nonceBound: boolean | null }>(
      `SELECT ${this.selected()}, k.nonce_bound AS "nonceBound" FROM commands c LEFT JOIN counters k USING (device_id)
       WHERE c.id = $1 AND c.device_id = $2`,
      [id, deviceId],
    );
    if (!found) return undefined;
    const { nonceBound, ...row } = found;
    return headOf(row, nonceBound);
  }

  /** Those that are still as they were read, locked, with a counter where one was wanted. The others changed meanwhile. */
  async claim(tx: EntityManager, claims: readonly Claim[]): Promise<Map<CommandId, Counter | undefined>> {
    const rows = await tx.query<{ id: CommandId; epoch: number | null; counter: string | null }[]>(CLAIM, [
      claims.map(({ command }) => command.id),
      claims.map(({ command }) => command.state),
      claims.map(({ counts }) => counts),
    ]);
    return new Map(
      rows.map(({ id, epoch, counter }) => [id, epoch === null ? undefined : { epoch, counter: Number(counter) }]),
    );
  }

  private recoveryNames(): string[] {
    return [...this.catalogue.kinds.keys()].filter((name) => this.isRecovery(name));
  }

  private selected(): string {
    this.columns ??= this.database.dataSource
      .getMetadata(CommandRow)
      .columns.map(({ databaseName, propertyName }) => `c."${databaseName}" AS "${propertyName}"`)
      .join(', ');
    return this.columns;
  }
}

function headOf(command: CommandRow, nonceBound: boolean | null): Head {
  return { command, nonceBound: nonceBound ?? false };
}
