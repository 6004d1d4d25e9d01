/** The store-and-forward queue and log: a record and its sequence number become durable in one transaction, or neither exists. */
import type { DatabaseSync } from 'node:sqlite';
import { transaction } from '../agent/state-database.store.js';
import type { Position } from './position.js';
import { STREAM } from './stream.js';
import type { RecordState } from './verdict.js';

/** A record is sent again this often because the platform says it misses it; a platform that loses it each time is not kept busy for ever. */
const RESEND_ATTEMPTS = 5;

/** What is signed at sampling time. `payload`: the canonical JSON text; `thumbprint`: of the certificate whose key signed. */
export interface SealedRecord {
  readonly payload: string;
  readonly signature: string;
  readonly thumbprint: string;
}

export interface QueuedRecord extends SealedRecord {
  readonly epoch: number;
  readonly seq: number;
  /** Seconds since the epoch, by the vehicle's clock. */
  readonly ts: number;
  readonly attempts: number;
}

export interface Settlement {
  readonly epoch: number;
  readonly seq: number;
  readonly state: RecordState;
  readonly verdict: string;
}

export type QueueCounts = Readonly<Record<RecordState, number>>;

/** `ts` is in whole seconds; the caller serialises calls of `append` by awaiting them (the store does, too). */
export class QueueStore {
  private appending: Promise<unknown> = Promise.resolve();

  constructor(private readonly database: DatabaseSync) {
    database.prepare('INSERT OR IGNORE INTO stream (name, epoch, next_seq) VALUES (?, 0, 1)').run(STREAM);
  }

  position(): Position {
    const row = this.database.prepare('SELECT epoch, next_seq FROM stream WHERE name = ?').get(STREAM);
    const { epoch, next_seq } = row as { epoch: number; next_seq: number };
    return { epoch, nextSeq: next_seq };
  }

  /**
   * Gives `seal` the next number and stores what it returns together with that number's use. A crash before the commit leaves the number
   * unused, and what was sealed under it was never seen outside; a crash after it leaves the record in the queue.
   */
  append(ts: number, seal: (position: Position) => Promise<SealedRecord>): Promise<QueuedRecord> {
    const work = this.appending.then(async () => {
      const position = this.position();
      const sealed = await seal(position);
      return this.insert(position, ts, sealed);
    });
    this.appending = work.catch(() => undefined);
    return work;
  }

  private insert({ epoch, nextSeq }: Position, ts: number, sealed: SealedRecord): QueuedRecord {
    transaction(this.database, () => {
      const moved = this.database
        .prepare('UPDATE stream SET next_seq = next_seq + 1 WHERE name = ? AND epoch = ? AND next_seq = ?')
        .run(STREAM, epoch, nextSeq);
      if (moved.changes !== 1) throw new Error('the sequence moved while a record was signed');
      this.database
        .prepare(
          'INSERT INTO record (stream, epoch, seq, ts, payload, signature, thumbprint) VALUES (?, ?, ?, ?, ?, ?, ?)',
        )
        .run(STREAM, epoch, nextSeq, ts, sealed.payload, sealed.signature, sealed.thumbprint);
    });
    return { ...sealed, epoch, seq: nextSeq, ts, attempts: 0 };
  }

  /** The oldest queued records, in order, of one epoch; at least one if there is any, else as many as `limit` and `maxBytes` allow. */
  batch(limit: number, maxBytes: number): readonly QueuedRecord[] {
    const rows = this.database
      .prepare(
        `SELECT epoch, seq, ts, payload, signature, thumbprint, attempts FROM record
         WHERE stream = ? AND state = 'queued' ORDER BY epoch, seq LIMIT ?`,
      )
      .all(STREAM, limit) as unknown as QueuedRecord[];
    let bytes = 0;
    const fits = rows.findIndex((row) => {
      bytes += row.payload.length * 3 + row.signature.length + 160;
      return bytes > maxBytes || row.epoch !== rows[0]?.epoch;
    });
    return fits === -1 ? rows : rows.slice(0, Math.max(1, fits));
  }

  /** Writes what the platform said of records that were sent; each counts one more attempt. */
  settle(settlements: readonly Settlement[]): void {
    const update = this.database.prepare(
      `UPDATE record SET state = ?, verdict = ?, attempts = attempts + 1
       WHERE stream = ? AND epoch = ? AND seq = ? AND state = 'queued'`,
    );
    transaction(this.database, () => {
      for (const { state, verdict, epoch, seq } of settlements) update.run(state, verdict, STREAM, epoch, seq);
    });
  }

  /**
   * Queues again what the platform misses though it had taken it, of the stream's epoch and sampled since `ts`: what is older only an offline
   * log can deliver. Ranges with both ends included. Returns how many.
   */
  resend(epoch: number, missing: readonly (readonly [number, number])[], ts: number): number {
    const update = this.database.prepare(
      `UPDATE record SET state = 'queued' WHERE stream = ? AND epoch = ? AND seq BETWEEN ? AND ?
       AND state = 'sent' AND ts >= ? AND attempts < ${RESEND_ATTEMPTS}`,
    );
    return transaction(this.database, () =>
      missing.reduce((sum, [from, to]) => sum + Number(update.run(STREAM, epoch, from, to, ts).changes), 0),
    );
  }

  /** Begins a higher epoch at 1. What is still queued under a lower one is held: only an offline log can deliver it. Returns how many. */
  raiseEpoch(epoch: number): number {
    return transaction(this.database, () => {
      const raised = this.database
        .prepare('UPDATE stream SET epoch = ?, next_seq = 1 WHERE name = ? AND epoch < ?')
        .run(epoch, STREAM, epoch);
      if (raised.changes !== 1) throw new RangeError(`epoch ${epoch} is no higher than the stream's`);
      const held = this.database
        .prepare(
          "UPDATE record SET state = 'held', verdict = 'stale_epoch' WHERE stream = ? AND epoch < ? AND state = 'queued'",
        )
        .run(STREAM, epoch);
      return Number(held.changes);
    });
  }

  /** How many wait to be sent; by the index alone, however long the log. */
  waiting(): number {
    const row = this.database.prepare("SELECT count(*) AS n FROM record WHERE state = 'queued'").get();
    return (row as { n: number }).n;
  }

  /** Walks the whole log. */
  counts(): QueueCounts {
    const rows = this.database.prepare('SELECT state, count(*) AS n FROM record GROUP BY state').all();
    const counted = Object.fromEntries((rows as { state: RecordState; n: number }[]).map(({ state, n }) => [state, n]));
    return { queued: 0, sent: 0, held: 0, refused: 0, ...counted };
  }

  /** Forgets records that the platform has, that are in the sealed log, and that were sampled before `ts`. Held and refused ones stay. */
  prune(ts: number): number {
    const removed = this.database
      .prepare(
        `DELETE FROM record WHERE state = 'sent' AND ts < ? AND (epoch, seq) <= (
           SELECT coalesce(max(epoch), -1), coalesce(max(seq + count - 1), -1) FROM log_segment
           WHERE segment = (SELECT max(segment) FROM log_segment))`,
      )
      .run(ts);
    return Number(removed.changes);
  }
}
