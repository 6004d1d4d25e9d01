import { type Database, databaseError } from '@outrider/platform/postgres';
import type { PoolClient, QueryConfig, QueryResult, QueryResultRow } from 'pg';

/** One pooled connection inside a transaction: what the hot path hands to its repositories. */
export interface Connection {
  query<R extends QueryResultRow = QueryResultRow>(config: QueryConfig): Promise<QueryResult<R>>;
}

/**
 * Runs `work` in one transaction on `pg` itself: prepared statements, no entity layer. Errors: `service.unavailable` for a PostgreSQL
 * that is away (whether a commit in flight happened is then unknown), else the statement's own error.
 */
export async function inTransaction<T>(database: Database, work: (tx: Connection) => Promise<T>): Promise<T> {
  let client: PoolClient;
  try {
    client = await database.pool.connect();
  } catch (error) {
    throw databaseError(error);
  }
  let broken: Error | undefined;
  // A connection lost between two statements says so here and nowhere else.
  const onError = (error: Error) => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken ??= failure;
    });
    throw databaseError(error);
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
