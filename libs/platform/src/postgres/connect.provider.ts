import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import { isDatabaseAway } from './failure.js';

const RETRY_MS = 500;

/** Waits for a PostgreSQL that is not there yet, at most so long; anything else (a wrong password, a missing schema) fails at once. */
export async function connectDatabase(
  dataSource: DataSource,
  logger: Logger,
  withinMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      await dataSource.initialize();
      return;
    } catch (error) {
      if (!isDatabaseAway(error) || performance.now() > deadline) throw error;
      logger.warn({ err: error }, 'waiting for PostgreSQL');
      await sleep(RETRY_MS);
    }
  }
}
