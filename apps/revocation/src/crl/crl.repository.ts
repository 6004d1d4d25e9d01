import { Injectable } from '@nestjs/common';
import type { RevocationReason } from '@outrider/contracts';
import type { SerialNumber } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { type CrlEntry, type CrlIssuer, type CrlName, nextCrlNumber } from './crl.js';

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

  async find({ prefix, shard }: CrlName): Promise<PublishedCrl | undefined> {
    const [row] = await this.database.query<PublishedCrl>(
      'SELECT number, der, next_update AS "nextUpdate" FROM crls WHERE prefix = $1 AND shard = $2',
      [prefix, shard],
    );
    return row;
  }

  /** The issuers' lists that are older than `before`, or do not know of a compromised key, the most urgent first. */
  async due(issuers: readonly CrlIssuer[], shardCount: number, before: Date, limit: number): Promise<CrlName[]> {
    return this.database.query<CrlName>(
      `SELECT i.prefix, s.shard
       FROM unnest($1::text[], $2::text[]) AS i(issuer_key_id, prefix)
       CROSS JOIN generate_series(0, $3::int - 1) AS s(shard)
       LEFT JOIN crls c ON c.prefix = i.prefix AND c.shard = s.shard
       WHERE c.published_at IS NULL OR c.published_at <= $4 OR EXISTS (
         SELECT 1 FROM revocations r WHERE r.issuer_key_id = i.issuer_key_id
           AND r.crl_shard = s.shard AND r.reason = 'keyCompromise' AND r.revoked_at > c.published_at)
       ORDER BY c.published_at NULLS FIRST LIMIT $5`,
      [issuers.map(({ issuerKeyId }) => issuerKeyId), issuers.map(({ prefix }) => prefix), shardCount, before, limit],
    );
  }

  /** One replica at a time for each list. */
  async lock(tx: EntityManager, { prefix, shard }: CrlName): Promise<void> {
    const list = `.crl${prefix}`;
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || $1, $2))', [list, shard]);
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

  /** Every certificate of the issuer's shard whose notAfter is not before `after`. */
  async entries(tx: EntityManager, issuerKeyId: string, shard: number, after: Date): Promise<CrlEntry[]> {
    const rows: EntryRow[] = await tx.query(
      `SELECT serial_number, min(revoked_at) AS revoked_at, array_agg(reason ORDER BY id) AS reasons
       FROM revocations WHERE issuer_key_id = $1 AND crl_shard = $2 AND (not_after IS NULL OR not_after >= $3)
         AND NOT EXISTS (SELECT 1 FROM hold_releases h WHERE h.revocation_id = revocations.id)
       GROUP BY serial_number ORDER BY serial_number`,
      [issuerKeyId, shard, after],
    );
    return rows.map(({ serial_number, revoked_at, reasons }) => ({
      serialNumber: serial_number,
      revokedAt: revoked_at,
      reasons,
    }));
  }

  async save(
    tx: EntityManager,
    { prefix, shard }: CrlName,
    crl: { number: number; der: Uint8Array; nextUpdate: string },
    publishedAt: Date,
  ): Promise<void> {
    await tx.query(
      `INSERT INTO crls (prefix, shard, number, der, next_update, published_at) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (prefix, shard) DO UPDATE SET number = EXCLUDED.number, der = EXCLUDED.der,
         next_update = EXCLUDED.next_update, published_at = EXCLUDED.published_at`,
      [prefix, shard, crl.number, Buffer.from(crl.der), crl.nextUpdate, publishedAt],
    );
  }
}
