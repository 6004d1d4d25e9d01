import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { LOGGER, type Logger, Schedule } from '@outrider/platform/service';
import { Imports } from './imports.repository.js';

const EVERY_MS = 60_000;
/** What is kept of reports: devices stay whatever becomes of the report of their import. */
const KEEP = { days: 30, imports: 100, lines: 1_000_000 } as const;

@Injectable()
export class ImportRetention implements OnApplicationBootstrap {
  constructor(
    private readonly imports: Imports,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'reports of old imports are still there', async () => {
      for (;;) {
        const importId = await this.imports.removeOne(KEEP);
        if (importId === undefined) return;
        this.logger.info({ importId }, 'report of an import removed');
      }
    });
  }
}
