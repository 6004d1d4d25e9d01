import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Database, databaseError, schemaOf, traceStatements } from '@outrider/platform/postgres';
import { LOGGER, type Logger, RUNTIME, type Runtime } from '@outrider/platform/service';
import { Pool, type PoolClient, type PoolConfig, type QueryConfig } from 'pg';
import type { Connection } from './connection.provider.js';

/** As many as commits are in flight, and one that is just being given back. */
const CONNECTIONS = 3;

/** What a transaction gives, and the statements that make it true. */
export interface Writes<T> {
  readonly result: T;
  readonly statements: readonly QueryConfig[];
}

/**
 * Connections on which statements are sent one after the other without waiting in between: a transaction that reads, decides and writes
 * takes two round trips, however many statements it has. A round trip costs both sides more than the statement.
 */
@Injectable()
export class Pipelined implements OnApplicationShutdown {
  private readonly pool: Pool;

  constructor(database: Database, @Inject(LOGGER) logger: Logger, @Inject(RUNTIME) { tracing, service }: Runtime) {
    const { options } = database.pool;
    // The secrets are not enumerable there.
    const { password, ssl } = options;
    const config = { ...options, password, ssl, pipeline: true, max: CONNECTIONS };
    this.pool = new Pool(config as PoolConfig);
    if (tracing) traceStatements(this.pool, schemaOf(service));
    this.pool.on('error', (error) => logger.warn({ err: error }, 'a connection to PostgreSQL was lost'));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }

  /**
   * `work` may send several statements before it awaits any; what it wants written goes out together with COMMIT. Errors as `inTransaction`.
   */
  async transaction<T>(work: (tx: Connection) => Promise<Writes<T>>): Promise<T> {
    const client = await this.connect();
    let broken: Error | undefined;
    const onError = (error: Error) => {
      broken = error;
    };
    client.on('error', onError);
    try {
      const begun = client.query('BEGIN');
      begun.catch(() => undefined);
      const { result, statements } = await work(client);
      await begun;
      await commit(client, statements);
      return result;
    } catch (error) {
      // Whatever was still under way on it: rolled back with the connection.
      broken ??= error as Error;
      throw databaseError(error);
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  private async connect(): Promise<PoolClient> {
    try {
      return await this.pool.connect();
    } catch (error) {
      throw databaseError(error);
    }
  }
}

/** After a statement that failed COMMIT is a ROLLBACK, and the statement's own error is the one that is told. */
async function commit(client: PoolClient, statements: readonly QueryConfig[]): Promise<void> {
  const sent = statements.map((statement) => client.query(statement));
  const settled = await Promise.allSettled([...sent, client.query('COMMIT')]);
  for (const one of settled) if (one.status === 'rejected') throw one.reason;
  const last = settled.at(-1);
  if (last?.status === 'fulfilled' && last.value.command !== 'COMMIT')
    throw new Error('the transaction was rolled back');
}
