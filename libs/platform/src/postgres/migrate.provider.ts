import type { Logger } from 'pino';
import type { QueryRunner } from 'typeorm';
import type { CommonConfig } from '../service/config.js';
import { connectDatabase } from './connect.provider.js';
import { type MigrationClass, ownerDataSource } from './data-source.provider.js';
import { PlatformTables1763800000000 } from './migrations/1763800000000-platform-tables.migration.js';
import { DpopProofs1764550000000 } from './migrations/1764550000000-dpop-proofs.migration.js';

/** A primary that was just lost has a successor by then. */
const AWAY_MS = 30_000;

/** What only the owner role may write and the configuration decides (retention): done after the migrations, each time they are run. */
export type AsOwner = (owner: QueryRunner) => Promise<void>;

/** Runs the platform's and the service's migrations as the owner role, under an advisory lock keyed by the service. Forward only. */
export async function migrate(
  config: CommonConfig,
  migrations: readonly MigrationClass[],
  logger: Logger,
  asOwner?: AsOwner,
): Promise<void> {
  const source = ownerDataSource(config, [PlatformTables1763800000000, DpopProofs1764550000000, ...migrations]);
  await connectDatabase(source, logger, AWAY_MS);
  const lock = source.createQueryRunner();
  try {
    await lock.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [`outrider.migrate.${config.service}`]);
    const done = await source.runMigrations();
    await asOwner?.(lock);
    logger.info({ migrations: done.map((m) => m.name) }, 'migrated');
  } finally {
    await lock
      .query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [`outrider.migrate.${config.service}`])
      .catch(() => undefined);
    await lock.release();
    await source.destroy();
  }
}
