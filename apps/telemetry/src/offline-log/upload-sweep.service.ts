import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { LOGGER, type Logger, Metrics, Schedule } from '@outrider/platform/service';
import { UploadSweepRepository } from './upload-sweep.repository.js';

const INTERVAL_MS = 3_600_000;

/** Every hour: what no vehicle will finish any more goes. */
@Injectable()
export class UploadSweep implements OnApplicationBootstrap {
  private readonly swept;

  constructor(
    private readonly uploads: UploadSweepRepository,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.swept = metrics.counter(
      'outrider_telemetry_log_uploads_swept_total',
      'Uploads of offline logs that nobody could finish any more.',
    );
  }

  onApplicationBootstrap(): void {
    this.schedule.every(INTERVAL_MS, 'uploads could not be swept; tried again later', () => this.sweep())();
  }

  /** All that is due, a batch at a time. */
  async sweep(): Promise<number> {
    let total = 0;
    for (let more = true; more; ) {
      const { swept, more: others } = await this.uploads.sweep();
      total += swept;
      more = others;
    }
    this.swept.inc(total);
    if (total > 0) this.logger.info({ uploads: total }, 'uploads that nobody can finish were let go');
    return total;
  }
}
