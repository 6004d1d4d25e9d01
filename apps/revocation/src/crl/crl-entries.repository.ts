import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { CertificateStatus } from './crl.js';
import type { BaseCrl } from './crl.repository.js';

/** How many entries are held at once, and lie in one part: some 200 KiB of DER. */
export const PAGE = 4096;

export interface Entries {
  readonly issuerKeyId: string;
  readonly shard: number;
  /** Certificates that were over before are listed no more. */
  readonly after: Date;
  /** Of a delta. */
  readonly base: BaseCrl | undefined;
}

/** What stands revoked, page by page, as it was at one moment. */
@Injectable()
export class CrlEntries {
  constructor(private readonly database: Database) {}

  /**
   * @param take is given the pages in ascending order of the serial numbers, one at a time.
   * @returns the last change that they know of. Changes are numbered in the order of their commits.
   */
  async read(list: Entries, take: (page: readonly CertificateStatus[]) => Promise<void>): Promise<string> {
    return this.database.transaction(async (tx) => {
      await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
      // All of it is wanted, and sorting a million changes takes more than a request may.
      await tx.query(
        `SELECT set_config('cursor_tuple_fraction', '1', true), set_config('statement_timeout', '60s', true)`,
      );
      const [mark]: { up_to: string | null }[] = await tx.query('SELECT max(id) AS up_to FROM status_changes');
      await this.declare(tx, list);
      for (;;) {
        const page: CertificateStatus[] = await tx.query(`FETCH ${PAGE} FROM entries`);
        if (page.length > 0) await take(list.base === undefined ? page : await this.asTheyAre(tx, list, page));
        if (page.length < PAGE) return mark?.up_to ?? '0';
      }
    });
  }

  private async declare(tx: EntityManager, { issuerKeyId, shard, after, base }: Entries): Promise<void> {
    if (base === undefined) {
      await tx.query(
        `DECLARE entries NO SCROLL CURSOR FOR
         SELECT serial_number AS "serialNumber", revoked_at AS "revokedAt", reason FROM revoked_certificates
         WHERE issuer_key_id = $1 AND crl_shard = $2 AND (not_after IS NULL OR not_after >= $3) ORDER BY serial_number`,
        [issuerKeyId, shard, after],
      );
      return;
    }
    await tx.query(
      `DECLARE entries NO SCROLL CURSOR FOR
       SELECT serial_number AS "serialNumber", max(changed_at) AS "changedAt", NULL AS "revokedAt", NULL AS reason
       FROM status_changes WHERE issuer_key_id = $1 AND crl_shard = $2 AND id > $3
       GROUP BY serial_number ORDER BY serial_number`,
      [issuerKeyId, shard, base.upTo],
    );
  }

  /** What stands of those that have changed, whatever the changes were: looked up together, by their index. */
  private async asTheyAre(
    tx: EntityManager,
    { issuerKeyId, shard }: Entries,
    changed: readonly CertificateStatus[],
  ): Promise<CertificateStatus[]> {
    const standing: CertificateStatus[] = await tx.query(
      `SELECT serial_number AS "serialNumber", revoked_at AS "revokedAt", reason FROM revoked_certificates
       WHERE issuer_key_id = $1 AND crl_shard = $2 AND serial_number = ANY($3)`,
      [issuerKeyId, shard, changed.map(({ serialNumber }) => serialNumber)],
    );
    const bySerial = new Map(standing.map((status) => [status.serialNumber, status]));
    return changed.map((status) => ({ ...status, ...bySerial.get(status.serialNumber) }));
  }
}
