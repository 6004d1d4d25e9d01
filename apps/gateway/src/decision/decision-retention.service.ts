import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { LOGGER, type Logger, Schedule } from '@outrider/platform/service';
import { DecisionLog } from './decisions.repository.js';

const EVERY_MS = 60_000;
const BATCH = 5_000;

/** Ends decisions that the rule in force has outlived. */
@Injectable()
export class DecisionRetention implements OnApplicationBootstrap {
  constructor(
    private readonly log: DecisionLog,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'old decisions are still there', () => this.retire());
  }

  /** @returns how many ended. */
  async retire(): Promise<number> {
    let ended = 0;
    for (;;) {
      const count = await this.log.retire(BATCH);
      ended += count;
      if (count === BATCH) continue;
      if (ended > 0) this.logger.info({ ended }, 'old decisions ended by the retention rule');
      return ended;
    }
  }
}
