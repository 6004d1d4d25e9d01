import type { Logger } from 'pino';
import type { QueryRunner } from 'typeorm';
import type { CommonConfig } from '../service/config.js';
import { type MigrationClass, ownerDataSource } from './data-source.provider.js';
import { PlatformTables1763800000000 } from './migrations/1763800000000-platform-tables.migration.js';
import { DpopProofs1764550000000 } from './migrations/1764550000000-dpop-proofs.migration.js';

/** Runs the platform's and the service's migrations as the owner role, under an advisory lock keyed by the service. Forward only. */
export async function migrate(
  config: CommonConfig,
  migrations: readonly MigrationClass[],
  logger: Logger,
): Promise<void> {
  const source = ownerDataSource(config, [PlatformTables1763800000000, DpopProofs1764550000000, ...migrations]);
  await source.initialize();
  const lock = source.createQueryRunner();
  try {
    await lock.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [`outrider.migrate.${config.service}`]);
    const done = await source.runMigrations();
    logger.info({ migrations: done.map((m) => m.name) }, 'migrated');
  } finally {
    await lock
      .query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [`outrider.migrate.${config.service}`])
      .catch(() => undefined);
    await lock.release();
    await source.destroy();
  }
}

export type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

/** Grants the runtime role what it needs on a table and nothing else; its sequences come with INSERT. */
export async function grantRuntime(
  runner: QueryRunner,
  table: string,
  privileges: readonly Privilege[],
): Promise<void> {
  const role = schemaRole(runner);
  await runner.query(`GRANT ${privileges.join(', ')} ON "${table}" TO "${role}"`);
}

/** Makes a table append-only for everyone but its owner's maintenance: no UPDATE, DELETE or TRUNCATE passes the trigger. */
export async function appendOnly(runner: QueryRunner, table: string): Promise<void> {
  await runner.query(`
    CREATE TRIGGER "${table}_append_only" BEFORE UPDATE OR DELETE ON "${table}"
    FOR EACH ROW EXECUTE FUNCTION refuse_change()`);
  await runner.query(`
    CREATE TRIGGER "${table}_no_truncate" BEFORE TRUNCATE ON "${table}"
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`);
}

function schemaRole(runner: QueryRunner): string {
  const { schema } = runner.connection.options as { schema?: string };
  if (!schema) throw new Error('migrations need a schema');
  return schema;
}
