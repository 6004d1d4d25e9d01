import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { READING } from '../reading/reading.repository.js';

/** What is kept of a dropped partition: its range, how much was in it, and a digest over the digests of all of it. */
export interface RetiredPartition {
  readonly id: string;
  readonly kept_in: string;
  readonly partition: string;
  readonly from_time: Date;
  readonly to_time: Date;
  readonly row_count: string;
  readonly sha256: string;
  readonly keep_days: number;
}

/** Partitions belong to the owner role; its functions do what the runtime role may ask for, and no more. */
@Injectable()
export class PartitionsRepository {
  constructor(private readonly database: Database) {}

  /** Makes what is missing until `daysAhead`; gives how many partitions were made. */
  async make(daysAhead: number): Promise<number> {
    const [row] = await this.database.query<{ made: number }>('SELECT make_partitions($1) AS made', [daysAhead]);
    return row?.made ?? 0;
  }

  /** Drops the oldest one that the rule in force has outlived; undefined when there is none, or another instance is at it. */
  retire(): Promise<RetiredPartition | undefined> {
    return this.proven('SELECT retire_partition() AS id');
  }

  /** The same of what offline logs brought: a month of records, segments or announced heads, whose tables have no partitions. */
  retireLogs(): Promise<RetiredPartition | undefined> {
    return this.proven('SELECT retire_logs() AS id');
  }

  private proven(retire: string): Promise<RetiredPartition | undefined> {
    return this.database.transaction(async (tx) => {
      // A month of a large fleet is counted and hashed longer than any other statement may take. It stores no message: readers go on.
      await tx.query(`SET LOCAL application_name = '${READING}'`);
      await tx.query(`SET LOCAL statement_timeout = '1h'`);
      const [row]: [{ id: string | null }] = await tx.query(retire);
      if (row.id === null) return undefined;
      const [proof]: RetiredPartition[] = await tx.query(
        `SELECT id, kept_in, partition, from_time, to_time, row_count, encode(sha256, 'hex') AS sha256, keep_days
         FROM retired_partitions WHERE id = $1`,
        [row.id],
      );
      return proof;
    });
  }
}
