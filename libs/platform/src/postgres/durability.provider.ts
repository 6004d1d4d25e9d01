import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import type { CommonConfig } from '../service/config.js';

/**
 * Warns of a PostgreSQL that alone holds what it acknowledges: "accepted" means committed, and a failover then loses what the standby has not got yet.
 */
export async function warnWithoutStandby(
  dataSource: DataSource,
  { database }: CommonConfig,
  logger: Logger,
): Promise<void> {
  const [settings] = await dataSource.query<{ standbys: string; level: string }[]>(
    `SELECT current_setting('synchronous_standby_names') AS standbys, current_setting('synchronous_commit') AS level`,
  );
  const missing = missingDurability(settings?.standbys ?? '', settings?.level ?? '', database.synchronousStandby);
  if (missing) logger.warn({ missing }, 'what PostgreSQL acknowledges may be lost in a failover');
}

/** What to say of these settings, if anything. */
export function missingDurability(
  standbys: string,
  level: string,
  wanted: 'expected' | 'none' = 'expected',
): string | undefined {
  if (level === 'off') return 'synchronous_commit is off: a commit is acknowledged before it is on any disk';
  if (wanted === 'none') return undefined;
  if (standbys.trim() === '') return 'synchronous_standby_names is empty: no standby is waited for';
  return level === 'local' ? 'synchronous_commit is local: no standby is waited for' : undefined;
}
