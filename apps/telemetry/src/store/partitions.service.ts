import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { LOGGER, type Logger, Metrics, Schedule } from '@outrider/platform/service';
import { PartitionsRepository } from './partitions.repository.js';

const DAYS_AHEAD = 45;
const INTERVAL_MS = 6 * 3_600_000;

/**
 * Keeps partitions ahead, and lets go of those that retention has outlived, oldest first. Without one ahead nothing is refused: the
 * default partition takes the rows.
 */
@Injectable()
export class Partitions implements OnApplicationBootstrap {
  private readonly retired;

  constructor(
    private readonly partitions: PartitionsRepository,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.retired = metrics.counter(
      'outrider_telemetry_partitions_retired_total',
      'Partitions, and months of offline logs, that retention dropped.',
    );
  }

  onApplicationBootstrap(): void {
    const every = (complaint: string, work: () => Promise<void>) => this.schedule.every(INTERVAL_MS, complaint, work)();
    every('partitions could not be made; tried again later', () => this.make());
    every('a partition could not be retired; tried again later', () => this.retire());
  }

  private async make(): Promise<void> {
    const made = await this.partitions.make(DAYS_AHEAD);
    if (made > 0) this.logger.info({ made }, 'partitions made');
  }

  /** Drops what the rule in force has outlived, each with its proof in `retired_partitions`. */
  async retire(): Promise<void> {
    for (let proof = await this.partitions.retire(); proof; proof = await this.partitions.retire()) {
      this.retired.inc();
      this.logger.info(proof, 'a partition was retired');
    }
    for (let proof = await this.partitions.retireLogs(); proof; proof = await this.partitions.retireLogs()) {
      this.retired.inc();
      this.logger.info(proof, 'a month of offline logs was retired');
    }
  }
}
