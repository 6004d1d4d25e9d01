import { Injectable } from '@nestjs/common';
import type { RevocationReason } from '@outrider/contracts';
import type { SerialNumber } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { type CrlEntry, nextCrlNumber } from './crl.js';

export interface PublishedCrl {
  readonly number: string;
  readonly der: Uint8Array;
  readonly nextUpdate: Date;
}

interface EntryRow {
  readonly serial_number: SerialNumber;
  readonly revoked_at: Date;
  readonly reasons: RevocationReason[];
}

@Injectable()
export class Crls {
  constructor(private readonly database: Database) {}

  async find(shard: number): Promise<PublishedCrl | undefined> {
    const [row] = await this.database.query<PublishedCrl>(
      'SELECT number, der, next_update AS "nextUpdate" FROM crls WHERE shard = $1',
      [shard],
    );
    return row;
  }

  /** Shards whose list is older than `before`, or does not know of a compromised key, the most urgent first. */
  async due(shardCount: number, before: Date, limit: number): Promise<number[]> {
    const rows = await this.database.query<{ shard: number }>(
      `SELECT s.shard FROM generate_series(0, $1::int - 1) AS s(shard) LEFT JOIN crls c USING (shard)
       WHERE c.published_at IS NULL OR c.published_at <= $2 OR EXISTS (
         SELECT 1 FROM revocations r
         WHERE r.crl_shard = s.shard AND r.reason = 'keyCompromise' AND r.revoked_at > c.published_at)
       ORDER BY c.published_at NULLS FIRST LIMIT $3`,
      [shardCount, before, limit],
    );
    return rows.map(({ shard }) => shard);
  }

  /** One replica at a time for each shard. */
  async lock(tx: EntityManager, shard: number): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.crl', $1))`, [shard]);
  }

  /** The next number of a shard, used up even where what follows fails: outside any transaction. */
  async takeNumber(shard: number, now: Date): Promise<number> {
    const [row] = await this.database.query<{ number: string }>(
      `INSERT INTO crl_numbers AS n (shard, number) VALUES ($1, $2)
       ON CONFLICT (shard) DO UPDATE SET number = GREATEST(n.number + 1, EXCLUDED.number) RETURNING number`,
      [shard, nextCrlNumber(0, now)],
    );
    return Number(row?.number);
  }

  /** Every certificate of the shard whose notAfter is not before `after`. */
  async entries(tx: EntityManager, shard: number, after: Date): Promise<CrlEntry[]> {
    const rows: EntryRow[] = await tx.query(
      `SELECT serial_number, min(revoked_at) AS revoked_at, array_agg(reason ORDER BY id) AS reasons
       FROM revocations WHERE crl_shard = $1 AND (not_after IS NULL OR not_after >= $2)
       GROUP BY serial_number ORDER BY serial_number`,
      [shard, after],
    );
    return rows.map(({ serial_number, revoked_at, reasons }) => ({
      serialNumber: serial_number,
      revokedAt: revoked_at,
      reasons,
    }));
  }

  async save(
    tx: EntityManager,
    shard: number,
    crl: { number: number; der: Uint8Array; nextUpdate: string },
    publishedAt: Date,
  ): Promise<void> {
    await tx.query(
      `INSERT INTO crls (shard, number, der, next_update, published_at) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (shard) DO UPDATE SET number = EXCLUDED.number, der = EXCLUDED.der,
         next_update = EXCLUDED.next_update, published_at = EXCLUDED.published_at`,
      [shard, crl.number, Buffer.from(crl.der), crl.nextUpdate, publishedAt],
    );
  }
}
