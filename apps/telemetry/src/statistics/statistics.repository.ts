import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { READING } from '../reading/reading.repository.js';
import type { VerdictCount } from './verdict-counts.js';

const TIMEOUT_MS = 10_000;
const CANCELED = '57014';
export const MAX_GAPS = 100;
/** Refused verdicts are remembered for this long. */
const KEEP_DAYS = 90;

/** `accepted`: stored, by either way; `from_logs`: of these, what offline logs brought; `unanchored`: of these, what a revoked key signed unproven. */
export interface StreamRow {
  readonly stream: string;
  readonly epoch: number;
  readonly accepted: number;
  readonly from_logs: number;
  readonly unanchored: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Of live messages, in milliseconds: receipt minus the vehicle's own time. */
export interface LatencyRow {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

/** Numbers missing between two that were accepted, both ends included. */
export interface GapRow {
  readonly stream: string;
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
}

export interface Aggregates {
  readonly streams: readonly StreamRow[];
  readonly latency: LatencyRow;
  readonly gaps: readonly GapRow[];
}

const RANGE = 'device_id = $1 AND received_at >= $2 AND received_at < $3';

/** What is known of one device's traffic: of accepted messages by what is stored, of refused ones by counts of its own. */
@Injectable()
export class StatisticsRepository {
  constructor(private readonly database: Database) {}

  /** @throws DomainError `telemetry.range_too_large` when it takes more than ten seconds */
  async aggregate(deviceId: DeviceId, from: Date, to: Date): Promise<Aggregates> {
    const parameters = [deviceId, from, to];
    try {
      return await this.database.transaction(async (tx) => {
        // Marked, so that a page of messages does not end before this transaction's start.
        await tx.query(`SET LOCAL application_name = '${READING}'`);
        await tx.query(`SET LOCAL statement_timeout = ${TIMEOUT_MS}`);
        const streams = await tx.query<StreamRow[]>(
          `SELECT stream, epoch, count(*)::float8 AS accepted, count(standing)::float8 AS from_logs,
             (count(*) FILTER (WHERE standing = 'unanchored'))::float8 AS unanchored, min(seq)::float8 AS lowest, max(seq)::float8 AS highest
           FROM (
             SELECT stream, epoch, seq, NULL AS standing FROM messages WHERE ${RANGE}
             UNION ALL SELECT stream, epoch, seq, standing FROM log_records WHERE ${RANGE}) AS m
           GROUP BY stream, epoch ORDER BY stream, epoch`,
          parameters,
        );
        const [latency] = await tx.query<LatencyRow[]>(
          `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS p50, percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) AS p99,
             min(ms) AS min, max(ms) AS max
           FROM (SELECT (extract(epoch FROM received_at)::float8 - ts) * 1000 AS ms FROM messages WHERE ${RANGE}) AS m`,
          parameters,
        );
        const gaps = await tx.query<GapRow[]>(
          `SELECT stream, epoch, (seq + 1)::float8 AS first, (next - 1)::float8 AS last
           FROM (
             SELECT stream, epoch, seq, lead(seq) OVER (PARTITION BY stream, epoch ORDER BY seq) AS next
             FROM (
               SELECT stream, epoch, seq FROM messages WHERE ${RANGE}
               UNION ALL SELECT stream, epoch, seq FROM log_records WHERE ${RANGE}) AS r) AS m
           WHERE next > seq + 1 ORDER BY stream, epoch, seq LIMIT ${MAX_GAPS}`,
          parameters,
        );
        return { streams, latency: latency!, gaps };
      });
    } catch (error) {
      if ((error as { code?: string }).code !== CANCELED) throw error;
      throw new DomainError('telemetry.range_too_large', { cause: error });
    }
  }

  /** Refused and repeated messages by verdict, in the hours that the range touches. */
  verdicts(deviceId: DeviceId, from: Date, to: Date): Promise<{ verdict: string; count: number; last_at: Date }[]> {
    return this.database.query(
      `SELECT verdict, sum(count)::float8 AS count, max(last_at) AS last_at FROM verdict_counts
       WHERE device_id = $1 AND hour >= date_trunc('hour', $2::timestamptz) AND hour < $3
       GROUP BY verdict ORDER BY verdict`,
      [deviceId, from, to],
    );
  }

  /** Adds to the counts of this hour, and forgets what is old of the same devices. In device order: two instances must not wait for each other. */
  async add(counts: readonly VerdictCount[]): Promise<void> {
    const rows = [...counts].sort((left, right) => (left.deviceId < right.deviceId ? -1 : 1));
    const deviceIds = rows.map(({ deviceId }) => deviceId);
    await this.database.query(
      `INSERT INTO verdict_counts (device_id, hour, verdict, count, last_at)
       SELECT device_id, date_trunc('hour', now()), verdict, count, now()
       FROM unnest($1::text[], $2::text[], $3::bigint[]) AS c(device_id, verdict, count)
       ORDER BY device_id, verdict
       ON CONFLICT (device_id, hour, verdict)
       DO UPDATE SET count = verdict_counts.count + excluded.count, last_at = excluded.last_at`,
      [deviceIds, rows.map(({ verdict }) => verdict), rows.map(({ count }) => count)],
    );
    await this.database.query(
      `DELETE FROM verdict_counts WHERE device_id = ANY($1::text[]) AND hour < now() - $2 * interval '1 day'`,
      [[...new Set(deviceIds)], KEEP_DAYS],
    );
  }
}
