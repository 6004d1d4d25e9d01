import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from './runtime.provider.js';

/** Work that comes again by time. A round never overlaps itself; one that fails is logged and the next one comes; a stop waits for the round in hand. */
@Injectable()
export class Schedule implements BeforeApplicationShutdown {
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly running = new Set<Promise<void>>();
  private stopped = false;

  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  /** Runs `work` every `everyMs`, the first time after that long; `complaint` is logged with what it throws. Returns how to run a round now. */
  every(everyMs: number, complaint: string, work: () => Promise<unknown>): () => void {
    let busy = false;
    const round = () => {
      if (busy || this.stopped) return;
      busy = true;
      const run = work()
        .then(
          () => undefined,
          (error: unknown) => this.logger.warn({ err: error }, complaint),
        )
        .finally(() => {
          busy = false;
          this.running.delete(run);
        });
      this.running.add(run);
    };
    this.timers.push(setInterval(round, everyMs));
    return round;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers) clearInterval(timer);
    await Promise.all(this.running);
  }
}
