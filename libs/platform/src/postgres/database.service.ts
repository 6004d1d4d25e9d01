import { Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import { inSpan } from '../service/trace.provider.js';
import { databaseError } from './failure.js';

/** Work that runs after a commit, once. */
type AfterCommit = () => void;

/** The service's database: every write goes through `transaction`, every repository write takes `tx` first. */
@Injectable()
export class Database {
  constructor(readonly dataSource: DataSource) {}

  /** Runs `work` in one transaction. A lost connection becomes `service.unavailable`; whether a commit in flight happened is then unknown. */
  async transaction<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    const hooks: AfterCommit[] = [];
    try {
      const result = await inSpan('transaction', 'internal', {}, () =>
        this.dataSource.transaction((tx) => {
          if (tx.queryRunner) tx.queryRunner.data = { ...tx.queryRunner.data, afterCommit: hooks };
          return work(tx);
        }),
      );
      for (const hook of new Set(hooks)) hook();
      return result;
    } catch (error) {
      throw databaseError(error);
    }
  }

  /** One statement outside a transaction. `$1`-style parameters. */
  async query<Row>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    try {
      return await this.dataSource.query<Row[]>(sql, parameters);
    } catch (error) {
      throw databaseError(error);
    }
  }

  /** The `pg` pool underneath, for hot paths that write their own SQL. */
  get pool(): Pool {
    return (this.dataSource.driver as unknown as { master: Pool }).master;
  }
}

/** Has `hook` run after `tx` commits; the same function added twice runs once. */
export function afterCommit(tx: EntityManager, hook: AfterCommit): void {
  const hooks = (tx.queryRunner?.data as { afterCommit?: AfterCommit[] } | undefined)?.afterCommit;
  if (!hooks) throw new Error('afterCommit outside Database.transaction');
  hooks.push(hook);
}
