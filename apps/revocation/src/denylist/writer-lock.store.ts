import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { DENYLIST_CHANNEL } from './denylist.repository.js';

const LOCK = `hashtextextended(current_schema() || '.denylist_writer', 0)`;

/** Holding it makes this replica the bucket's writer. It ends with its connection, on which the writer also reads: a writer that lost the lock learns of it before it writes. */
export interface WriterLock {
  query<Row>(sql: string, parameters?: unknown[]): Promise<Row[]>;
  /** What `work` reads is as it was at one moment. It writes nothing. */
  atOnce<T>(work: () => Promise<T>): Promise<T>;
  readonly lost: boolean;
  release(): Promise<void>;
}

@Injectable()
export class WriterLocks {
  constructor(private readonly database: Database) {}

  /** The lock, or undefined while another replica holds it. `onChange` is called when any replica changed the list. */
  async tryTake(onChange: () => void): Promise<WriterLock | undefined> {
    const client = await this.database.pool.connect();
    let lost = false;
    const lose = () => {
      lost = true;
    };
    client.on('error', lose);
    client.on('end', lose);
    client.on('notification', onChange);
    const drop = (destroy: boolean) => {
      client.off('error', lose);
      client.off('end', lose);
      client.off('notification', onChange);
      client.release(destroy);
    };
    try {
      const { rows } = await client.query<{ mine: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS mine`);
      if (!rows[0]?.mine) {
        drop(false);
        return undefined;
      }
      await client.query(`LISTEN ${DENYLIST_CHANNEL}`);
    } catch (error) {
      drop(true);
      throw error;
    }
    return {
      atOnce: async (work) => {
        await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
        try {
          return await work();
        } finally {
          await client.query('COMMIT');
        }
      },
      query: async <Row>(sql: string, parameters: unknown[] = []) =>
        (await client.query(sql, parameters)).rows as Row[],
      get lost() {
        return lost;
      },
      release: async () => drop(true),
    };
  }
}
