import { Injectable } from '@nestjs/common';
import type { DeviceState } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { currentTrace } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { HistoryEntry, HistoryQuery, StoredEntry } from './history.js';

interface Row {
  readonly id: string;
  readonly device_id: DeviceId;
  readonly from_state: DeviceState | null;
  readonly to_state: DeviceState;
  readonly event: string;
  readonly who: string;
  readonly why: string;
  readonly at: Date;
  readonly ticket: string | null;
  readonly detail: Readonly<Record<string, unknown>> | null;
}

/** What happened to devices. Append-only: the database refuses anything else. */
@Injectable()
export class History {
  constructor(private readonly database: Database) {}

  /** One statement, however many: in the transaction that makes it true. */
  async addAll(tx: EntityManager, entries: readonly HistoryEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const rows = entries.map(({ deviceId, from, to, event, who, why, at, ticket, detail }) => ({
      device_id: deviceId,
      from_state: from,
      to_state: to,
      event,
      who,
      why,
      at: at.toISOString(),
      ticket,
      detail,
    }));
    await tx.query(
      `INSERT INTO device_history (device_id, from_state, to_state, event, who, why, at, ticket, detail, trace_id)
       SELECT device_id, from_state, to_state, event, who, why, at, ticket, detail, $2
       FROM jsonb_to_recordset($1::jsonb) AS r(device_id text, from_state text, to_state text, event text, who text, why text,
         at timestamptz, ticket text, detail jsonb)`,
      [JSON.stringify(rows), currentTrace()?.traceId ?? null],
    );
  }

  /** Newest first; one more than asked for. */
  async ofDevice(deviceId: DeviceId, { limit, after }: HistoryQuery): Promise<StoredEntry[]> {
    const rows = await this.database.query<Row>(
      `SELECT * FROM device_history WHERE device_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
      [deviceId, after ?? null, limit + 1],
    );
    return rows.map((row) => ({
      id: row.id,
      deviceId: row.device_id,
      from: row.from_state,
      to: row.to_state,
      event: row.event,
      who: row.who,
      why: row.why,
      at: row.at,
      ticket: row.ticket,
      detail: row.detail,
    }));
  }
}
