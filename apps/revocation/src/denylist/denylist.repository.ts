import { Injectable } from '@nestjs/common';
import { entryKey } from '@outrider/admission';
import type { DenylistEntry, DenylistKind, DenylistMode } from '@outrider/contracts';
import type { EntityManager } from 'typeorm';
import { type Claim, type ClaimSource, type EntryName, effectiveEntry, type SourcedClaim, sameEntry } from './claim.js';

/** The channel on which the writer among the replicas hears of changes. */
export const DENYLIST_CHANNEL = 'revocation_denylist';

/** Whoever can ask PostgreSQL: a transaction, or the connection that holds the writer's lock. */
export type Query = <Row>(sql: string, parameters?: unknown[]) => Promise<Row[]>;

export interface DenylistState {
  readonly generation: number;
  readonly sequence: number;
}

interface EntryRow {
  readonly kind: DenylistKind;
  readonly value: string;
  readonly mode: DenylistMode;
  readonly reason: string;
  readonly until: Date | null;
  readonly removed: boolean;
  readonly sequence: string;
  readonly bulk?: boolean;
}

/** `changed`: there is something for the writer to write. `sequence`: the highest of the entries named, changed or not. */
export interface Change {
  readonly changed: boolean;
  readonly sequence: number;
}

/** `bulk`: one of very many at once; each of its entries lets what is not bulk go before it to the bucket. */
export interface Urgency {
  readonly bulk?: true | undefined;
}

/** Claims and entries: the truth that the bucket is written from. */
@Injectable()
export class DenylistRepository {
  /** Taken first by every transaction that changes the list or what was revoked: sequences come in commit order, and nothing slips between look and write. */
  async lock(tx: EntityManager): Promise<DenylistState> {
    const [row] = await tx.query('SELECT generation, sequence FROM denylist_state FOR UPDATE');
    return { generation: Number(row.generation), sequence: Number(row.sequence) };
  }

  /**
   * When something is done, by the one clock of all replicas; asked for under the lock, acts are as old as their order says. A query of
   * its own: the one that locks would say when it began to wait.
   */
  async time(tx: EntityManager): Promise<Date> {
    const [row]: { now: Date }[] = await tx.query('SELECT clock_timestamp() AS now');
    return row?.now ?? new Date();
  }

  async claim(
    tx: EntityManager,
    source: ClaimSource,
    claims: readonly Claim[],
    now: Date,
    urgency: Urgency = {},
  ): Promise<Change> {
    const single = once(claims);
    await tx.query(
      `INSERT INTO denylist_claims (kind, value, source, mode, reason, until)
       SELECT kind, value, $3, mode, reason, until
       FROM unnest($1::text[], $2::text[], $4::text[], $5::text[], $6::timestamptz[]) AS c(kind, value, mode, reason, until)
       ON CONFLICT (kind, value, source) DO UPDATE
       SET mode = EXCLUDED.mode, reason = EXCLUDED.reason, until = EXCLUDED.until`,
      [
        single.map((c) => c.kind),
        single.map((c) => c.value),
        source,
        single.map((c) => c.mode),
        single.map((c) => c.reason),
        single.map((c) => c.until ?? null),
      ],
    );
    return this.settle(tx, single, now, urgency);
  }

  async withdraw(
    tx: EntityManager,
    sources: readonly ClaimSource[],
    names: readonly EntryName[],
    now: Date,
  ): Promise<Change> {
    await tx.query(
      `DELETE FROM denylist_claims
       WHERE (source = ANY($3) OR (source = 'bucket' AND reason <> 'blocked' AND 'revoke' = ANY($3)))
       AND (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
      [names.map((n) => n.kind), names.map((n) => n.value), sources],
    );
    return this.settle(tx, once(names), now);
  }

  /** What holds claimed; of what was found in the bucket after a restore, holds alone. */
  async withdrawHeld(
    tx: EntityManager,
    names: readonly EntryName[],
    now: Date,
    urgency: Urgency = {},
  ): Promise<Change> {
    await tx.query(
      `DELETE FROM denylist_claims WHERE (source = 'hold' OR (source = 'bucket' AND reason = 'certificateHold'))
       AND (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
      [names.map((n) => n.kind), names.map((n) => n.value)],
    );
    return this.settle(tx, once(names), now, urgency);
  }

  /**
   * What gateway takes back: its own requests. Of what was found in the bucket after a restore only blocks: whose a revocation or
   * a retirement was, the bucket does not say, and neither may be lifted.
   */
  async withdrawRequested(tx: EntityManager, names: readonly EntryName[], now: Date): Promise<Change> {
    await tx.query(
      `DELETE FROM denylist_claims WHERE (source = 'request' OR (source = 'bucket' AND reason = 'blocked'))
       AND (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
      [names.map((n) => n.kind), names.map((n) => n.value)],
    );
    return this.settle(tx, once(names), now);
  }

  /** Entries past their time, at most `limit`: what is left of them is settled anew, expired claims go. */
  async expire(tx: EntityManager, limit: number, now: Date): Promise<{ count: number } & Change> {
    await this.lock(tx);
    const names: EntryName[] = await tx.query(
      'SELECT kind, value FROM denylist_entries WHERE NOT removed AND until <= $1 ORDER BY until LIMIT $2',
      [now, limit],
    );
    if (names.length === 0) return { count: 0, changed: false, sequence: 0 };
    await tx.query(
      `DELETE FROM denylist_claims WHERE until <= $3
       AND (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
      [names.map((n) => n.kind), names.map((n) => n.value), now],
    );
    return { count: names.length, ...(await this.settle(tx, names, now, { bulk: true })) };
  }

  /** Writes for each name the entry that its claims add up to, under a new sequence where it is another than before. */
  private async settle(
    tx: EntityManager,
    names: readonly EntryName[],
    now: Date,
    { bulk = false }: { readonly bulk?: boolean | undefined } = {},
  ): Promise<Change> {
    const { sequence: last } = await this.lock(tx);
    const keys = [names.map((n) => n.kind), names.map((n) => n.value)];
    const where = '(kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))';
    // Each round trip is a part of the time from revoke to refusal. Not in the statement that locks: that one sees what was before it waited.
    const known: (SourcedClaim & EntryRow)[] = await tx.query(
      `SELECT kind, value, source, mode, reason, until, NULL::boolean AS removed, NULL::bigint AS sequence, NULL::boolean AS bulk
       FROM denylist_claims WHERE ${where}
       UNION ALL SELECT kind, value, NULL, mode, reason, until, removed, sequence, bulk FROM denylist_entries WHERE ${where}`,
      keys,
    );
    const claims = known.filter(({ source }) => source !== null).map(claimOf);
    const claimsByKey = Map.groupBy(claims, ({ kind, value }) => entryKey(kind, value));
    const rows: EntryRow[] = known.filter(({ source }) => source === null);
    const rowByKey = new Map(rows.map((row) => [entryKey(row.kind, row.value), row]));
    let sequence = last;
    let covering = 0;
    const changed: (EntryName & { wanted: Claim | undefined; sequence: number; known: EntryRow | undefined })[] = [];
    for (const { kind, value } of names) {
      const key = entryKey(kind, value);
      const known = rowByKey.get(key);
      const wanted = effectiveEntry(claimsByKey.get(key) ?? [], now);
      const standing = known && !known.removed ? { ...known, until: known.until ?? undefined } : undefined;
      // One that a bulk change has just claimed may still wait behind others: who claims it for itself makes it urgent.
      const isHurried = !bulk && known?.bulk === true && wanted !== undefined;
      if (sameEntry(standing, wanted) && !isHurried) covering = Math.max(covering, Number(known?.sequence ?? 0));
      else changed.push({ kind, value, wanted, sequence: ++sequence, known });
    }
    if (changed.length === 0) return { changed: false, sequence: covering };
    await tx.query(
      `WITH written AS (
         INSERT INTO denylist_entries (kind, value, mode, reason, until, removed, sequence, bulk, changed_at)
         SELECT e.*, $9 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[], $7::bigint[], $8::boolean[]) AS e
         ON CONFLICT (kind, value) DO UPDATE
         SET mode = EXCLUDED.mode, reason = EXCLUDED.reason, until = EXCLUDED.until, removed = EXCLUDED.removed,
             sequence = EXCLUDED.sequence, bulk = EXCLUDED.bulk, changed_at = EXCLUDED.changed_at),
       counted AS (UPDATE denylist_state SET sequence = $10)
       SELECT pg_notify($11, '')`,
      [
        changed.map((c) => c.kind),
        changed.map((c) => c.value),
        changed.map((c) => (c.wanted ?? c.known)?.mode ?? 'deny'),
        changed.map((c) => (c.wanted ?? c.known)?.reason ?? ''),
        changed.map((c) => c.wanted?.until ?? null),
        changed.map((c) => c.wanted === undefined),
        changed.map((c) => c.sequence),
        // An entry that once was urgent may still wait to be written: it stays so.
        changed.map(({ known }) => bulk && (known?.bulk ?? true)),
        now,
        sequence,
        DENYLIST_CHANNEL,
      ],
    );
    return { changed: true, sequence };
  }

  /** After a restore: every entry gets a sequence above `floor`, in the old order, and the list a new generation. */
  async startOver(tx: EntityManager, generation: number, floor: number): Promise<void> {
    const { sequence } = await this.lock(tx);
    const base = Math.max(sequence, floor);
    const [count] = await tx.query(
      `WITH numbered AS (SELECT kind, value, row_number() OVER (ORDER BY sequence) AS n FROM denylist_entries),
            renumbered AS (
              UPDATE denylist_entries e SET sequence = $1 + numbered.n FROM numbered
              WHERE e.kind = numbered.kind AND e.value = numbered.value RETURNING 1)
       SELECT count(*) AS n FROM renumbered`,
      [base],
    );
    await tx.query('UPDATE denylist_state SET generation = $1, sequence = $2', [generation, base + Number(count.n)]);
  }

  async setGeneration(tx: EntityManager, generation: number): Promise<void> {
    await tx.query('UPDATE denylist_state SET generation = $1', [generation]);
  }

  async state(query: Query): Promise<DenylistState> {
    const [row] = await query<{ generation: string; sequence: string }>(
      'SELECT generation, sequence FROM denylist_state',
    );
    return { generation: Number(row?.generation), sequence: Number(row?.sequence) };
  }

  /** How many entries are live, and the digest of their set as heartbeats tell it, made by PostgreSQL of what it holds. */
  async summary(query: Query): Promise<{ count: number; digest: string }> {
    const [row] = await query<{ count: string; digest: string | null }>(
      `SELECT count(*) AS count,
              bit_xor(('x' || encode(sha256(convert_to(kind || '.' || value || '.' || mode, 'UTF8')), 'hex'))::bit(256))::text AS digest
       FROM denylist_entries WHERE NOT removed`,
    );
    const bits = BigInt(`0b${row?.digest ?? '0'}`);
    return { count: Number(row?.count), digest: bits.toString(16).padStart(64, '0') };
  }

  /** How far the list has come, and its entries above `after`, at most `limit`: as they were at one moment. */
  async pending(query: Query, after: number, limit: number): Promise<{ sequence: number; entries: DenylistEntry[] }> {
    const rows = await query<EntryRow & { head: string }>(
      `SELECT s.sequence AS head, e.* FROM denylist_state s LEFT JOIN LATERAL (
         SELECT kind, value, mode, reason, until, removed, sequence FROM denylist_entries
         WHERE sequence > $1 AND sequence <= s.sequence ORDER BY sequence LIMIT $2) e ON true
       ORDER BY e.sequence`,
      [after, limit],
    );
    return { sequence: Number(rows[0]?.head), entries: rows.filter(({ kind }) => kind !== null).map(entryOf) };
  }

  /** Entries above `after` up to `to`, tombstones among them, in order. */
  async entries(query: Query, after: number, to: number, limit: number): Promise<DenylistEntry[]> {
    const rows = await query<EntryRow>(
      `SELECT kind, value, mode, reason, until, removed, sequence FROM denylist_entries
       WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3`,
      [after, to, limit],
    );
    return rows.map(entryOf);
  }

  /** Those of them that are not of a bulk change. */
  async urgentEntries(query: Query, after: number, to: number, limit: number): Promise<DenylistEntry[]> {
    const rows = await query<EntryRow>(
      `SELECT kind, value, mode, reason, until, removed, sequence FROM denylist_entries
       WHERE NOT bulk AND sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3`,
      [after, to, limit],
    );
    return rows.map(entryOf);
  }

  /** Removes tombstones that every reader has long seen. */
  async forgetTombstones(tx: EntityManager, before: Date, limit: number): Promise<EntryName[]> {
    await this.lock(tx);
    const names: EntryName[] = await tx.query(
      'SELECT kind, value FROM denylist_entries WHERE removed AND changed_at < $1 ORDER BY changed_at LIMIT $2',
      [before, limit],
    );
    await tx.query(
      'DELETE FROM denylist_entries WHERE (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))',
      [names.map((n) => n.kind), names.map((n) => n.value)],
    );
    return names;
  }
}

/** One of each name, the last. */
function once<N extends EntryName>(names: readonly N[]): N[] {
  return [...new Map(names.map((name) => [entryKey(name.kind, name.value), name])).values()];
}

function claimOf(row: SourcedClaim & { until: Date | null }): SourcedClaim {
  return { ...row, until: row.until ?? undefined };
}

function entryOf(row: EntryRow): DenylistEntry {
  const { kind, value, mode, reason, until, removed } = row;
  return {
    kind,
    value,
    mode,
    reason,
    sequence: Number(row.sequence),
    ...(until ? { until: until.toISOString() } : {}),
    ...(removed ? { removed: true as const } : {}),
  };
}
