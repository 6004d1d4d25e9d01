import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { BULK_ABOVE } from '../job/job.js';
import { type CrlFile, type CrlIssuer, type CrlKind, type CrlName, nextCrlNumber } from './crl.js';

/** A published list: what stands before and behind its entries, and where they are. */
export interface CrlVersion {
  readonly number: string;
  readonly draft: string;
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  readonly parts: number;
  /** Of the whole list. */
  readonly bytes: string;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
}

/** One to publish, and the numbers of the last ones as they were seen when it was found due. */
export interface DueCrl extends CrlFile {
  readonly fullNumber: string | null;
  readonly deltaNumber: string | null;
}

/** A full list that deltas can go on from. */
export interface BaseCrl {
  readonly number: number;
  readonly upTo: string;
}

export interface NewCrl {
  readonly number: number;
  readonly baseNumber: number | undefined;
  readonly draft: string;
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  readonly parts: number;
  readonly entries: number;
  readonly bytes: number;
  readonly upTo: string;
  readonly thisUpdate: string;
  readonly nextUpdate: string;
  readonly publishedAt: Date;
  readonly tookMs: number;
}

export interface Cadence {
  readonly shardCount: number;
  readonly intervalSeconds: number;
  /** None where there are no deltas. */
  readonly deltaIntervalSeconds: number | undefined;
}

/** A list is not begun anew before this many times what the last one took: a storm of revocations is not a storm of lists. */
const REST = 4;
/** How many changes a delta holds at most. */
const CHANGES_MAX = 50_000;
/** One that seems to be of the future is of a clock that was set back. */
const AHEAD_MS = 2000;

const LAST = (kind: CrlKind) => `
  SELECT number, published_at, up_to, published_at + ${REST} * took_ms * interval '1 ms' AS rested,
    this_update + (next_update - this_update) / 2 AS half_over FROM crl_versions v
  WHERE v.prefix = i.prefix AND v.shard = s.shard AND v.is_delta = ${kind === 'delta'} ORDER BY v.number DESC LIMIT 1`;
/** One that has no time to rest within its interval has it until the half of its validity is over. */
const LATE = (last: string, before: string) =>
  `(${last}.number IS NULL OR ${last}.published_at > $6
    OR ${last}.published_at <= ${before} AND ($5 >= ${last}.rested OR $5 >= ${last}.half_over))`;
const URGENT = (last: string) => `(u.id > ${last}.up_to AND $5 >= ${last}.rested)`;

/** When the last large job ended, of late: no list waits for its turn to know what such a job changed. */
const JOB_END = `(SELECT max(finished_at) FROM jobs
  WHERE state = 'done' AND NOT dry_run AND lines > ${BULK_ABOVE} AND finished_at > now() - interval '1 hour')`;

@Injectable()
export class Crls {
  constructor(private readonly database: Database) {}

  async find({ prefix, shard, kind }: CrlFile): Promise<CrlVersion | undefined> {
    const [row] = await this.database.query<CrlVersion>(
      `SELECT number, draft, head, tail, parts, bytes, this_update AS "thisUpdate", next_update AS "nextUpdate"
       FROM crl_versions WHERE prefix = $1 AND shard = $2 AND is_delta = $3 ORDER BY number DESC LIMIT 1`,
      [prefix, shard, kind === 'delta'],
    );
    return row;
  }

  /** The last number of each list that there is. */
  async newest(issuers: readonly CrlIssuer[]): Promise<(CrlFile & { readonly number: string })[]> {
    const rows = await this.database.query<CrlName & { isDelta: boolean; number: string }>(
      `SELECT prefix, shard, is_delta AS "isDelta", max(number) AS number FROM crl_versions
       WHERE prefix = ANY($1) GROUP BY prefix, shard, is_delta`,
      [issuers.map(({ prefix }) => prefix)],
    );
    return rows.map(({ isDelta, ...rest }) => ({ ...rest, kind: isDelta ? 'delta' : 'full' }));
  }

  /** The entries of one part; undefined behind the last. */
  async part(draft: string, part: number): Promise<Uint8Array | undefined> {
    const [row] = await this.database.query<{ der: Uint8Array }>(
      'SELECT der FROM crl_parts WHERE draft = $1 AND part = $2',
      [draft, part],
    );
    return row?.der;
  }

  async addPart(draft: string, part: number, der: Uint8Array): Promise<void> {
    await this.database.query('INSERT INTO crl_parts (draft, part, der) VALUES ($1, $2, $3)', [
      draft,
      part,
      Buffer.from(der.buffer, der.byteOffset, der.byteLength),
    ]);
  }

  /** The lists that are older than their interval, or do not know of a compromised key, of a hold's release, or of what a large job did: deltas, which are quick, first. */
  async due(issuers: readonly CrlIssuer[], cadence: Cadence, now: Date, limit: number): Promise<DueCrl[]> {
    const { shardCount, intervalSeconds, deltaIntervalSeconds } = cadence;
    const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);
    const rows = await this.database.query<{
      prefix: string;
      shard: number;
      full: string | null;
      delta: string | null;
      wants_full: boolean;
      wants_delta: boolean;
    }>(
      `SELECT * FROM (
         SELECT i.prefix, s.shard, f.number AS "full", d.number AS delta, f.published_at,
           ${LATE('f', '$4')} OR ${URGENT('f')} AS wants_full,
           $7::timestamptz IS NOT NULL AND f.number IS NOT NULL AND (${LATE('d', '$7')} OR ${URGENT('d')}) AS wants_delta,
           ${URGENT('f')} AS urgent
         FROM unnest($1::text[], $2::text[]) AS i(issuer_key_id, prefix)
         CROSS JOIN generate_series(0, $3::int - 1) AS s(shard)
         LEFT JOIN LATERAL (${LAST('full')}) f ON true
         LEFT JOIN LATERAL (${LAST('delta')}) d ON true
         LEFT JOIN LATERAL (SELECT max(id) AS id FROM (
           (SELECT id FROM status_changes c WHERE c.issuer_key_id = i.issuer_key_id AND c.crl_shard = s.shard
              AND (c.change = 'released' OR c.reason = 'keyCompromise') ORDER BY id DESC LIMIT 1)
           UNION ALL
           (SELECT id FROM status_changes c WHERE c.issuer_key_id = i.issuer_key_id AND c.crl_shard = s.shard
              AND ${JOB_END} IS NOT NULL AND c.changed_at <= ${JOB_END} ORDER BY id DESC LIMIT 1)) AS changes) u ON true
       ) lists WHERE wants_full OR wants_delta
       ORDER BY urgent DESC NULLS LAST, published_at NULLS FIRST LIMIT $8`,
      [
        issuers.map(({ issuerKeyId }) => issuerKeyId),
        issuers.map(({ prefix }) => prefix),
        shardCount,
        ago(intervalSeconds),
        now,
        new Date(now.getTime() + AHEAD_MS),
        deltaIntervalSeconds === undefined ? null : ago(deltaIntervalSeconds),
        limit,
      ],
    );
    const dueOf = (kind: CrlKind) =>
      rows
        .filter((row) => (kind === 'full' ? row.wants_full : row.wants_delta))
        .map(({ prefix, shard, full, delta }) => ({ prefix, shard, kind, fullNumber: full, deltaNumber: delta }));
    return [...dueOf('delta'), ...dueOf('full')];
  }

  /** Whether nothing has been published of the list since it was found due. */
  async isStillDue({ prefix, shard, kind, fullNumber, deltaNumber }: DueCrl): Promise<boolean> {
    const last = await this.find({ prefix, shard, kind });
    return (last?.number ?? null) === (kind === 'full' ? fullNumber : deltaNumber);
  }

  /**
   * The full list that deltas go on from: the last one that was there an interval ago, so that a relying party that fetched its list
   * since then can use them; else the first there is. Where too much has changed since, the last one: a delta is
   * to be short. None where too much has changed even since that: then a full list is what is needed.
   */
  async base({ issuerKeyId }: CrlIssuer, { prefix, shard }: CrlName, before: Date): Promise<BaseCrl | undefined> {
    const [row] = await this.database.query<{ number: string; up_to: string }>(
      `SELECT number, up_to FROM (
         (SELECT 1 AS rank, number, up_to FROM crl_versions
          WHERE prefix = $1 AND shard = $2 AND NOT is_delta AND published_at <= $3 ORDER BY number DESC LIMIT 1)
         UNION ALL
         (SELECT 2, number, up_to FROM crl_versions WHERE prefix = $1 AND shard = $2 AND NOT is_delta ORDER BY number LIMIT 1)
         UNION ALL
         (SELECT 3, number, up_to FROM crl_versions WHERE prefix = $1 AND shard = $2 AND NOT is_delta ORDER BY number DESC LIMIT 1)
       ) bases
       WHERE NOT EXISTS (
         SELECT 1 FROM status_changes c WHERE c.issuer_key_id = $4 AND c.crl_shard = $2 AND c.id > up_to
         ORDER BY id OFFSET ${CHANGES_MAX} LIMIT 1)
       ORDER BY rank LIMIT 1`,
      [prefix, shard, before, issuerKeyId],
    );
    return row && { number: Number(row.number), upTo: row.up_to };
  }

  /** Runs `work` unless another replica is at this list. Were its connection lost, both would go on: the higher number stays. */
  async exclusively({ prefix, shard }: CrlName, work: () => Promise<void>): Promise<void> {
    const client = await this.database.pool.connect();
    let lost: Error | undefined;
    const lose = (error: Error) => {
      lost = error;
    };
    client.on('error', lose);
    const lock = async (does: string) => {
      const { rows } = await client.query<{ done: boolean }>(
        `SELECT ${does}(hashtextextended(current_schema() || $1, $2)) AS done`,
        [`.crl${prefix}`, shard],
      );
      return rows[0]?.done;
    };
    try {
      if (!(await lock('pg_try_advisory_lock').catch(lose))) return;
      try {
        await work();
      } finally {
        await lock('pg_advisory_unlock').catch(lose);
      }
    } finally {
      client.off('error', lose);
      client.release(lost);
    }
  }

  /** The next number of a list, used up even where what follows fails: outside any transaction. */
  async takeNumber({ prefix, shard }: CrlName, now: Date): Promise<number> {
    const [row] = await this.database.query<{ number: string }>(
      `INSERT INTO crl_numbers AS n (prefix, shard, number) VALUES ($1, $2, $3)
       ON CONFLICT (prefix, shard) DO UPDATE SET number = GREATEST(n.number + 1, EXCLUDED.number) RETURNING number`,
      [prefix, shard, nextCrlNumber(0, now)],
    );
    return Number(row?.number);
  }

  async add({ prefix, shard }: CrlName, crl: NewCrl): Promise<void> {
    await this.database.query(
      `INSERT INTO crl_versions (prefix, shard, is_delta, number, base_number, draft, head, tail, parts, entries, bytes,
         up_to, this_update, next_update, published_at, took_ms)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
      [
        prefix,
        shard,
        crl.baseNumber !== undefined,
        crl.number,
        crl.baseNumber ?? null,
        crl.draft,
        Buffer.from(crl.head),
        Buffer.from(crl.tail),
        crl.parts,
        crl.entries,
        crl.bytes,
        crl.upTo,
        crl.thisUpdate,
        crl.nextUpdate,
        crl.publishedAt,
        crl.tookMs,
      ],
    );
  }

  /**
   * Takes away what nobody reads any more: parts of lists that have had a successor for ten minutes and of drafts that came to nothing;
   * and what is known of lists that no delta can go on from.
   */
  async purge(now: Date, keepSeconds: number): Promise<void> {
    const before = new Date(now.getTime() - 600_000);
    await this.database.query(
      `DELETE FROM crl_parts p WHERE p.written_at < $1 AND NOT EXISTS (
         SELECT 1 FROM crl_versions v WHERE v.draft = p.draft AND NOT EXISTS (
           SELECT 1 FROM crl_versions n WHERE n.prefix = v.prefix AND n.shard = v.shard AND n.is_delta = v.is_delta
             AND n.number > v.number AND n.published_at < $1))`,
      [before],
    );
    await this.database.query(
      `DELETE FROM crl_versions v WHERE v.published_at < $1 AND EXISTS (
         SELECT 1 FROM crl_versions n WHERE n.prefix = v.prefix AND n.shard = v.shard AND n.is_delta = v.is_delta
           AND n.number > v.number AND n.published_at < $1)`,
      [new Date(now.getTime() - keepSeconds * 1000)],
    );
  }

  /** How long the list that ends first is still good for, and how many are later than they should be. */
  async freshness(
    issuers: readonly CrlIssuer[],
    now: Date,
  ): Promise<{ kind: CrlKind; leftSeconds: number; ageSeconds: number }[]> {
    const rows = await this.database.query<{ is_delta: boolean; ends: Date; begun: Date }>(
      `SELECT is_delta, min(next_update) AS ends, min(this_update) AS begun FROM (
         SELECT DISTINCT ON (prefix, shard, is_delta) is_delta, next_update, this_update FROM crl_versions
         WHERE prefix = ANY($1) ORDER BY prefix, shard, is_delta, number DESC) last GROUP BY is_delta`,
      [issuers.map(({ prefix }) => prefix)],
    );
    return rows.map(({ is_delta, ends, begun }) => ({
      kind: is_delta ? 'delta' : 'full',
      leftSeconds: (ends.getTime() - now.getTime()) / 1000,
      ageSeconds: (now.getTime() - begun.getTime()) / 1000,
    }));
  }
}
