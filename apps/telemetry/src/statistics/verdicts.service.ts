import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { LOGGER, type Logger, Metrics, Schedule } from '@outrider/platform/service';
import { StatisticsRepository } from './statistics.repository.js';
import { VerdictCounts } from './verdict-counts.js';

const FLUSH_MS = 2_000;
const MAX_ENTRIES = 20_000;

/**
 * Remembers by device what was not accepted; accepted messages are counted where they are stored. A process that is killed loses the last
 * two seconds of it.
 */
@Injectable()
export class Verdicts implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly counts = new VerdictCounts(MAX_ENTRIES);
  private readonly dropped;

  constructor(
    private readonly repository: StatisticsRepository,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.dropped = metrics.counter(
      'outrider_telemetry_verdicts_dropped_total',
      "Refusals that no device's count has: too many waited for PostgreSQL.",
    );
  }

  onApplicationBootstrap(): void {
    this.schedule.every(FLUSH_MS, 'verdicts could not be counted; tried again later', () => this.flush());
  }

  async onApplicationShutdown(): Promise<void> {
    await this.flush().catch((error: unknown) =>
      this.logger.warn({ err: error }, 'the last verdicts were not counted'),
    );
  }

  /** `verdict`: as answered, anything but `accepted`. Never waits. */
  count(deviceId: DeviceId, verdict: string): void {
    if (!this.counts.add(deviceId, verdict)) this.dropped.inc();
  }

  private async flush(): Promise<void> {
    const taken = this.counts.take();
    if (taken.length === 0) return;
    try {
      await this.repository.add(taken);
    } catch (error) {
      for (const { deviceId, verdict, count } of taken) {
        if (!this.counts.add(deviceId, verdict, count)) this.dropped.inc(count);
      }
      throw error;
    }
  }
}
