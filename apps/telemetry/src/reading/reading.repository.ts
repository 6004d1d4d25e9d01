import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { Position } from './cursor.js';
import { startOf, type TimeRange } from './range.js';
import type { StoredMessage } from './stored-message.js';

/** A signed batch as stored. */
export interface StoredBatch {
  readonly sha256: Buffer;
  readonly format: 'json-batch' | 'cose-batch';
  readonly bytes: Buffer;
  readonly signature: string | null;
}

/** Which records: `live`, what came by the live path; `log`, what offline logs brought; `all`, both, in order of receipt. */
export const SOURCES = ['live', 'log', 'all'] as const;
export type Source = (typeof SOURCES)[number];

export const RECEIVED_US = '(extract(epoch FROM received_at) * 1000000)::bigint::text AS received_us';
const COLUMNS = `device_id, stream, epoch, seq, ts, received_at, payload, signature, thumbprint, canonical_sha256,
  format, algorithm, token_id, batch_sha256, batch_index, ${RECEIVED_US},
  NULL::uuid AS order_id, NULL::text AS log, NULL::bigint AS segment, NULL::text AS standing`;
/** As JSON, whatever carried it; the signature and its algorithm are the segment's. */
export const LOG_COLUMNS = `device_id, stream, epoch, seq, ts, received_at, payload, NULL::text AS signature, thumbprint, canonical_sha256,
  'json' AS format, NULL::text AS algorithm, token_id, NULL::bytea AS batch_sha256, NULL::integer AS batch_index, ${RECEIVED_US},
  order_id, log, segment, standing`;
/** Statements of our own that only look, and may take their time, hold nobody's page back. */
export const READING = 'outrider-reading';
const TAKING_IN = 'outrider-log-';
/** How a transaction that stores a device's log calls itself: it is minutes long, and holds back nothing but that device's own log. */
export function takingIn(deviceId: DeviceId): string {
  return TAKING_IN + createHash('md5').update(deviceId).digest('hex');
}
/** Nothing that is received from here on can be committed with an earlier time of receipt. `log`: the name of take-ins that count too. */
const horizon = (log: string) => `(
  SELECT least(now() - interval '50 milliseconds', min(xact_start))
  FROM pg_stat_activity
  WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND application_name <> '${READING}'
    AND (application_name NOT LIKE '${TAKING_IN}%' OR application_name = ${log}::text))`;
const HORIZON = horizon('NULL');

export const time = (parameter: string) => `timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond'`;
const WITHIN = `device_id = $1 AND received_at >= ${time('$2')} AND received_at < coalesce($3::timestamptz, now())`;
// The first bound prunes partitions, which a comparison of rows does not.
const PAGE = `device_id = $1 AND received_at >= ${time('$2')}
  AND (received_at, stream, epoch, seq) > (${time('$2')}, $3, $4::int, $5::bigint)
  AND received_at < ${horizon('$8')} AND ($6::timestamptz IS NULL OR received_at < $6::timestamptz)
  ORDER BY received_at, stream, epoch, seq LIMIT $7`;
const LATEST = `device_id = $1 AND received_at >= ${time('$2')}
  AND received_at < ${horizon('$5')} AND ($3::timestamptz IS NULL OR received_at < $3::timestamptz)
  ORDER BY received_at DESC, stream DESC, epoch DESC, seq DESC LIMIT $4`;
/** A page of both is merged from a page of each: neither is read further than that. */
const PAGES: Readonly<Record<Source, string>> = {
  live: `SELECT ${COLUMNS} FROM messages WHERE ${PAGE}`,
  log: `SELECT ${LOG_COLUMNS} FROM log_records WHERE ${PAGE}`,
  all: `SELECT * FROM ((SELECT ${COLUMNS} FROM messages WHERE ${PAGE}) UNION ALL (SELECT ${LOG_COLUMNS} FROM log_records WHERE ${PAGE})) AS r
    ORDER BY received_at, stream, epoch, seq LIMIT $7`,
};
const LATESTS: Readonly<Record<Source, string>> = {
  live: `SELECT ${COLUMNS} FROM messages WHERE ${LATEST}`,
  log: `SELECT ${LOG_COLUMNS} FROM log_records WHERE ${LATEST}`,
  all: `SELECT * FROM ((SELECT ${COLUMNS} FROM messages WHERE ${LATEST}) UNION ALL (SELECT ${LOG_COLUMNS} FROM log_records WHERE ${LATEST})) AS r
    ORDER BY received_at DESC, stream DESC, epoch DESC, seq DESC LIMIT $4`,
};

/**
 * Records in order of receipt. `received_at` is the start of the transaction that stored them, so a page ends before the start of the
 * oldest transaction still open: whoever follows the cursors sees every message once, also those committed late.
 */
@Injectable()
export class ReadingRepository {
  constructor(private readonly database: Database) {}

  /** At most `limit` records of one device after `after`, received before `to`. */
  page(
    deviceId: DeviceId,
    after: Position,
    to: Date | undefined,
    limit: number,
    source: Source = 'live',
  ): Promise<StoredMessage[]> {
    const [receivedUs, , stream, epoch, seq] = after;
    const log = source === 'live' ? null : takingIn(deviceId);
    return this.database.query<StoredMessage>(PAGES[source], [
      ...[deviceId, receivedUs, stream, epoch, seq],
      ...[to ?? null, limit, log],
    ]);
  }

  /** The last `count` records of one device in a range, in order of receipt. */
  async latest(
    deviceId: DeviceId,
    { from, to }: TimeRange,
    count: number,
    source: Source = 'live',
  ): Promise<StoredMessage[]> {
    const log = source === 'live' ? null : takingIn(deviceId);
    const parameters = [deviceId, startOf(from)[0], to ?? null, count, log];
    return (await this.database.query<StoredMessage>(LATESTS[source], parameters)).reverse();
  }

  /** Live messages of all devices: for operators alone. */
  pageOfAll(after: Position, limit: number): Promise<StoredMessage[]> {
    return this.database.query<StoredMessage>(
      `
      SELECT ${COLUMNS} FROM messages
      WHERE received_at >= ${time('$1')}
        AND (received_at, device_id, stream, epoch, seq) > (${time('$1')}, $2, $3, $4::int, $5::bigint)
        AND received_at < ${HORIZON}
      ORDER BY received_at, device_id, stream, epoch, seq
      LIMIT $6`,
      [...after, limit],
    );
  }

  async latestOfAll(count: number): Promise<StoredMessage[]> {
    const rows = await this.database.query<StoredMessage>(
      `
      SELECT ${COLUMNS} FROM messages
      WHERE received_at < ${HORIZON}
      ORDER BY received_at DESC, device_id DESC, stream DESC, epoch DESC, seq DESC
      LIMIT $1`,
      [count],
    );
    return rows.reverse();
  }

  /** Whether the device has ever sent anything. */
  async knows(deviceId: DeviceId): Promise<boolean> {
    return (await this.database.query('SELECT FROM devices WHERE device_id = $1', [deviceId])).length > 0;
  }

  /** How many records lie in a range, of either way, as far as they are shown. */
  async count(deviceId: DeviceId, { from, to }: TimeRange): Promise<number> {
    const [row] = await this.database.query<{ count: number }>(
      `
      SELECT ((SELECT count(*) FROM messages WHERE ${WITHIN}) + (SELECT count(*) FROM log_records WHERE ${WITHIN}))::float8 AS count`,
      [deviceId, startOf(from)[0], to ?? null],
    );
    return row?.count ?? 0;
  }

  /** The batch that a message came in: it was stored with it. */
  async batch({ device_id, received_us, batch_sha256 }: StoredMessage): Promise<StoredBatch | undefined> {
    const [row] = await this.database.query<StoredBatch>(
      `SELECT sha256, format, bytes, signature FROM batches WHERE device_id = $1 AND received_at = ${time('$2')} AND sha256 = $3`,
      [device_id, received_us, batch_sha256],
    );
    return row;
  }
}
