import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { LOGGER, type Logger, Schedule } from '@outrider/platform/service';

const DAYS_AHEAD = 7;
const INTERVAL_MS = 6 * 3_600_000;

/** Keeps a week of partitions ahead. Without one nothing is refused: the default partition takes the rows. */
@Injectable()
export class Partitions implements OnApplicationBootstrap {
  constructor(
    private readonly database: Database,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const now = this.schedule.every(INTERVAL_MS, 'partitions could not be made; tried again later', () => this.make());
    now();
  }

  private async make(): Promise<void> {
    const [row] = await this.database.query<{ made: number }>('SELECT make_partitions($1) AS made', [DAYS_AHEAD]);
    if (row && row.made > 0) this.logger.info({ made: row.made }, 'partitions made');
  }
}
