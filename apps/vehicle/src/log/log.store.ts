/** The vehicle's sealed log and the orders for it, beside the records themselves: what is in here survives a crash whole. */
import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { transaction } from '../agent/state-database.store.js';
import { STREAM } from '../telemetry/stream.js';
import type { DeliveryPlan, StoredSegment } from './delivery.js';
import { FetchOrder } from './fetch-order.js';
import { type ChainEnd, type LogRecord, MAX_RECORDS, type SealedHead } from './segment.js';

type Range = readonly [from: number, to: number];

/** What the platform said of records that it was given. */
export interface BackfillResult {
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly verdict: string;
}

/** Records from a time on (seconds since the epoch) up to a number: what comes after it is not waited for. */
export interface Span {
  readonly since: number;
  readonly epoch: number;
  readonly seq: number;
}

export interface OpenOrder {
  readonly order: FetchOrder;
  readonly plan: DeliveryPlan | undefined;
  readonly attempts: number;
}

interface SegmentRow extends Omit<StoredSegment, 'whole' | 'announced'> {
  readonly present: number;
  readonly announced: number;
}

export class LogStore {
  /** Made once: another state is another log. */
  readonly name: string;

  constructor(private readonly database: DatabaseSync) {
    database.prepare('INSERT OR IGNORE INTO log (one, name) VALUES (1, ?)').run(randomUUID());
    this.name = (database.prepare('SELECT name FROM log').get() as { name: string }).name;
  }

  end(): ChainEnd | undefined {
    const row = this.database.prepare('SELECT segment, sha256 FROM log_segment ORDER BY segment DESC LIMIT 1').get();
    return row as ChainEnd | undefined;
  }

  /** The oldest records that are in no segment yet: one segment's and one more. */
  open(): readonly LogRecord[] {
    const last = this.database
      .prepare('SELECT epoch, seq + count - 1 AS seq FROM log_segment ORDER BY segment DESC LIMIT 1')
      .get() as { epoch: number; seq: number } | undefined;
    return this.database
      .prepare(
        `SELECT epoch, seq, ts, payload FROM record WHERE stream = ? AND (epoch, seq) > (?, ?)
         ORDER BY epoch, seq LIMIT ?`,
      )
      .all(STREAM, last?.epoch ?? -1, last?.seq ?? -1, MAX_RECORDS + 1) as unknown as LogRecord[];
  }

  /** Throws when the chain has gone on since `sealed` was made: nothing is sealed twice. */
  add(sealed: SealedHead, signature: string, thumbprint: string, sealedAt: number): void {
    const { segment, epoch, seq, count, head, sha256 } = sealed;
    transaction(this.database, () => {
      if ((this.end()?.segment ?? 0) + 1 !== segment) throw new Error('the log went on while a segment was signed');
      this.database
        .prepare(
          `INSERT INTO log_segment (segment, epoch, seq, count, head, sha256, signature, thumbprint, sealed_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(segment, epoch, seq, count, head, sha256, signature, thumbprint, sealedAt);
    });
  }

  segments(): readonly StoredSegment[] {
    const rows = this.database
      .prepare(
        `SELECT s.*, (SELECT count(*) FROM record r
           WHERE r.stream = ? AND r.epoch = s.epoch AND r.seq BETWEEN s.seq AND s.seq + s.count - 1) AS present
         FROM log_segment s ORDER BY segment`,
      )
      .all(STREAM) as unknown as SegmentRow[];
    return rows.map(({ present, announced, ...row }) => ({
      ...row,
      whole: present === row.count,
      announced: announced === 1,
    }));
  }

  records({ epoch, seq, count }: StoredSegment): readonly { readonly payload: string }[] {
    return this.database
      .prepare('SELECT payload FROM record WHERE stream = ? AND epoch = ? AND seq BETWEEN ? AND ? ORDER BY seq')
      .all(STREAM, epoch, seq, seq + count - 1) as unknown as { payload: string }[];
  }

  /** The newest head, unless the platform has it. */
  unannounced(): StoredSegment | undefined {
    const row = this.database.prepare('SELECT * FROM log_segment ORDER BY segment DESC LIMIT 1').get();
    const newest = row as unknown as SegmentRow | undefined;
    return newest && newest.announced === 0 ? { ...newest, whole: true, announced: false } : undefined;
  }

  announced(segment: number): void {
    this.database.prepare('UPDATE log_segment SET announced = 1 WHERE segment = ?').run(segment);
  }

  /** Forgets heads that were sealed before `sealedAt` (seconds), but the last and those whose records are still here. */
  prune(sealedAt: number): void {
    this.database
      .prepare(
        `DELETE FROM log_segment WHERE sealed_at < ? AND segment < (SELECT max(segment) FROM log_segment)
         AND NOT EXISTS (SELECT 1 FROM record r WHERE r.stream = ? AND r.epoch = log_segment.epoch
           AND r.seq BETWEEN log_segment.seq AND log_segment.seq + log_segment.count - 1)`,
      )
      .run(sealedAt, STREAM);
  }

  /** Numbers that only a log can deliver, by epoch: at most `limit` ranges of each of the oldest four epochs. */
  held(limit: number): readonly { readonly epoch: number; readonly ranges: readonly Range[] }[] {
    return this.ranges("state = 'held'").map(({ epoch, ranges }) => ({ epoch, ranges: ranges.slice(0, limit) }));
  }

  /** What there is now of what was recorded since then (seconds since the epoch). */
  spanSince(since: number): Span {
    const row = this.database
      .prepare('SELECT epoch, seq FROM record WHERE stream = ? ORDER BY epoch DESC, seq DESC LIMIT 1')
      .get(STREAM) as { epoch: number; seq: number } | undefined;
    return { since, epoch: row?.epoch ?? -1, seq: row?.seq ?? -1 };
  }

  /** Records of it, whatever the platform has of them. */
  count({ since, epoch, seq }: Span): number {
    const row = this.database
      .prepare('SELECT count(*) AS count FROM record WHERE stream = ? AND ts >= ? AND (epoch, seq) <= (?, ?)')
      .get(STREAM, since, epoch, seq);
    return (row as { count: number }).count;
  }

  /** Of these the ones in an order that ended without the platform taking them, and that no other has brought it since. */
  countGivenUp({ since, epoch, seq }: Span): number {
    const row = this.database
      .prepare(
        `WITH ended AS MATERIALIZED (
           SELECT o.body ->> 'epoch' AS epoch, r.value ->> 0 AS low, r.value ->> 1 AS high,
             o.ended IN ('fulfilled', 'telemetry.order_used') AS taken
           FROM fetch_order o, json_each(o.body, '$.ranges') r
           WHERE o.ended IS NOT NULL AND o.ended <> 'nothing_left')
         SELECT count(*) AS count FROM record WHERE stream = ? AND ts >= ? AND (epoch, seq) <= (?, ?)
           AND EXISTS (SELECT 1 FROM ended e WHERE NOT e.taken AND e.epoch = record.epoch AND seq BETWEEN low AND high)
           AND NOT EXISTS (SELECT 1 FROM ended e WHERE e.taken AND e.epoch = record.epoch AND seq BETWEEN low AND high)`,
      )
      .get(STREAM, since, epoch, seq);
    return (row as { count: number }).count;
  }

  /** Their numbers, by epoch, of each the newest `limit` ranges. */
  within(span: Span, limit: number): readonly { readonly epoch: number; readonly ranges: readonly Range[] }[] {
    return this.ranges('ts >= ? AND (epoch, seq) <= (?, ?)', span.since, span.epoch, span.seq).map(
      ({ epoch, ranges }) => ({ epoch, ranges: ranges.slice(-limit) }),
    );
  }

  /** An order that is known already, ended ones included, changes nothing. True when one of them is new. */
  take(orders: readonly FetchOrder[]): boolean {
    const insert = this.database.prepare('INSERT OR IGNORE INTO fetch_order (id, body) VALUES (?, ?)');
    return transaction(this.database, () =>
      orders
        .filter(({ stream }) => stream === STREAM)
        .map((order) => Number(insert.run(order.id, JSON.stringify(order)).changes))
        .some((changes) => changes > 0),
    );
  }

  orders(): readonly OpenOrder[] {
    const rows = this.database
      .prepare('SELECT body, first, last, attempts FROM fetch_order WHERE ended IS NULL ORDER BY rowid')
      .all() as unknown as { body: string; first: number | null; last: number | null; attempts: number }[];
    return rows.map(({ body, first, last, attempts }) => ({
      order: FetchOrder.parse(JSON.parse(body)),
      plan: first === null || last === null ? undefined : { first, last },
      attempts,
    }));
  }

  plan(id: string, { first, last }: DeliveryPlan): void {
    this.database.prepare('UPDATE fetch_order SET first = ?, last = ? WHERE id = ?').run(first, last, id);
  }

  /** A delivery of it was refused. */
  attempted(id: string): void {
    this.database
      .prepare('UPDATE fetch_order SET attempts = attempts + 1, first = NULL, last = NULL WHERE id = ?')
      .run(id);
  }

  /** The order is over, and with it what its results say. Returns how many records the platform has now that it had not. */
  finish(id: string, how: string, results: readonly BackfillResult[] = []): number {
    const update = this.database.prepare(
      `UPDATE record SET state = ?, verdict = ? WHERE stream = ? AND epoch = ? AND seq BETWEEN ? AND ?
       AND state IN ('held', 'queued')`,
    );
    return transaction(this.database, () => {
      let delivered = 0;
      for (const { epoch, from, to, verdict } of results) {
        const state =
          verdict === 'accepted' || verdict === 'duplicate' ? 'sent' : verdict === 'replayed' ? 'refused' : '';
        if (state === '') continue;
        const { changes } = update.run(state, `backfill_${verdict}`, STREAM, epoch, from, to);
        if (state === 'sent') delivered += Number(changes);
      }
      this.database.prepare('UPDATE fetch_order SET ended = ? WHERE id = ?').run(how, id);
      return delivered;
    });
  }

  /** Numbers of the records that fit, by epoch, of the oldest four epochs. */
  private ranges(condition: string, ...values: number[]): { readonly epoch: number; readonly ranges: Range[] }[] {
    const rows = this.database
      .prepare(
        `SELECT epoch, min(seq) AS low, max(seq) AS high FROM (
           SELECT epoch, seq, seq - row_number() OVER (PARTITION BY epoch ORDER BY seq) AS island
           FROM record WHERE stream = ? AND ${condition}) GROUP BY epoch, island ORDER BY epoch, low`,
      )
      .all(STREAM, ...values) as unknown as { epoch: number; low: number; high: number }[];
    const byEpoch = Map.groupBy(rows, ({ epoch }) => epoch);
    return [...byEpoch].slice(0, 4).map(([epoch, ranges]) => ({
      epoch,
      ranges: ranges.map(({ low, high }): Range => [low, high]),
    }));
  }
}
