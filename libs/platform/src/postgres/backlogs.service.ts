import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Metrics } from '../service/metrics.service.js';
import { LOGGER, type Logger } from '../service/runtime.provider.js';
import { Schedule } from '../service/schedule.service.js';
import { Database } from './database.service.js';
import { isDatabaseAway } from './failure.js';

const EVERY_MS = 10_000;
/** Counting more costs more than knowing it is worth. */
const COUNTED = 10_000;

/** What waits in tables: how much, and since when. Every replica says the same, since all look at the same rows. */
@Injectable()
export class Backlogs implements OnApplicationBootstrap {
  private readonly rows = new Map<string, string>();
  private readonly count;
  private readonly oldest;

  constructor(
    private readonly database: Database,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.count = metrics.gauge(
      'outrider_backlog_items',
      `What waits in PostgreSQL, by queue; counted up to ${COUNTED}, each replica says the same.`,
      ['queue'],
    );
    this.oldest = metrics.gauge(
      'outrider_backlog_oldest_seconds',
      'How long the oldest of it has waited; 0 where nothing waits.',
      ['queue'],
    );
    this.watch('outbox', 'SELECT created_at AS since FROM outbox ORDER BY id');
  }

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'what waits could not be counted', () => this.look())();
  }

  /** `rows`: a query of what waits, with its time as `since`, by an index; `queue`: its name in the metrics, of a closed list. */
  watch(queue: string, rows: string): void {
    this.rows.set(queue, rows);
  }

  private async look(): Promise<void> {
    for (const [queue, rows] of this.rows) {
      try {
        const [row] = await this.database.query<{ items: number; oldest: number | null }>(
          `SELECT count(*)::int AS items, extract(epoch FROM now() - min(since))::float8 AS oldest
           FROM (${rows} LIMIT ${COUNTED}) waiting`,
        );
        this.count.set({ queue }, row?.items ?? 0);
        this.oldest.set({ queue }, Math.max(0, row?.oldest ?? 0));
      } catch (error) {
        // The pool tells of that already, and so does whoever needs it.
        if (!isDatabaseAway((error as Error).cause ?? error)) this.logger.warn({ err: error, queue }, 'not counted');
        return;
      }
    }
  }
}
