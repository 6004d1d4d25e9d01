import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';

const DAYS_AHEAD = 7;
const INTERVAL_MS = 6 * 3_600_000;

/** Keeps a week of partitions ahead. Without one nothing is refused: the default partition takes the rows. */
@Injectable()
export class Partitions implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.make(), INTERVAL_MS);
    void this.make();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async make(): Promise<void> {
    try {
      const [row] = await this.database.query<{ made: number }>('SELECT make_partitions($1) AS made', [DAYS_AHEAD]);
      if (row && row.made > 0) this.logger.info({ made: row.made }, 'partitions made');
    } catch (error) {
      this.logger.warn({ err: error }, 'partitions could not be made; tried again later');
    }
  }
}
