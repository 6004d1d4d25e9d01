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
      const [mark]: { up_to: string | null }[] = await tx.query('SELECT max(id) AS up_to FROM status_changes');
      let last = '';
      for (;;) {
        const page = list.base === undefined ? await this.standing(tx, list, last) : await this.changed(tx, list, last);
        if (page.length > 0) await take(page);
        if (page.length < PAGE) return mark?.up_to ?? '0';
        last = page.at(-1)?.serialNumber ?? '';
      }
    });
  }

  private standing(tx: EntityManager, list: Entries, last: string): Promise<CertificateStatus[]> {
    return tx.query(
      `SELECT serial_number AS "serialNumber", revoked_at AS "revokedAt", reason FROM revoked_certificates
       WHERE issuer_key_id = $1 AND crl_shard = $2 AND serial_number > $3 AND (not_after IS NULL OR not_after >= $4)
       ORDER BY serial_number LIMIT ${PAGE}`,
      [list.issuerKeyId, list.shard, last, list.after],
    );
  }

  private changed(tx: EntityManager, list: Entries, last: string): Promise<CertificateStatus[]> {
    return tx.query(
      `SELECT c.serial_number AS "serialNumber", c.changed_at AS "changedAt", r.revoked_at AS "revokedAt", r.reason
       FROM (
         SELECT serial_number, max(changed_at) AS changed_at FROM status_changes
         WHERE issuer_key_id = $1 AND crl_shard = $2 AND id > $3 AND serial_number > $4
         GROUP BY serial_number ORDER BY serial_number LIMIT ${PAGE}) c
       LEFT JOIN LATERAL (
         SELECT revoked_at, reason FROM revoked_certificates
         WHERE issuer_key_id = $1 AND crl_shard = $2 AND serial_number = c.serial_number) r ON true
       ORDER BY c.serial_number`,
      [list.issuerKeyId, list.shard, list.base?.upTo, last],
    );
  }
}
