import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { Change, ChangeQuery, Position } from './change.js';

/**
 * Steps in the order in which they became visible. Only transactions older than every one that still runs are read: none of those can
 * put a step before one that was read. Another service's long transaction on the same server holds this up for so long and no longer:
 * none of ours lasts that long.
 */
const HELD_UP_SECONDS = 10;

const AFTER = `
  SELECT h.txid::text AS txid, h.id, h.command_id, c.device_id, c.name, h.state, h.at, h.reason, h.policies,
    c.requested_by, c.batch_id
  FROM command_history h JOIN commands c ON c.id = h.command_id
  WHERE (h.txid, h.id) > ($1::xid8, $2::bigint) AND (h.txid < pg_snapshot_xmin(pg_current_snapshot()) OR h.at < now() - interval '${HELD_UP_SECONDS} seconds')
    AND ($4::text IS NULL OR c.device_id = $4) AND ($5::uuid IS NULL OR c.id = $5::uuid)
    AND ($6::uuid IS NULL OR c.batch_id = $6::uuid) AND ($7::text IS NULL OR c.requested_by = $7)
  ORDER BY h.txid, h.id LIMIT $3`;

@Injectable()
export class Changes {
  constructor(private readonly database: Database) {}

  /** Everything behind it is still to come. */
  async now(): Promise<Position> {
    const [row] = await this.database.query<{ txid: string }>(
      'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS txid',
    );
    return { txid: row!.txid, id: '0' };
  }

  after({ txid, id }: Position, limit: number, query: ChangeQuery = {}): Promise<Change[]> {
    const { device, command, batch, requested_by } = query;
    const filters = [device ?? null, command ?? null, batch ?? null, requested_by ?? null];
    return this.database.query<Change>(AFTER, [txid, id, limit, ...filters]);
  }
}
