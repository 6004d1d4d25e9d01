import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { LOGGER, type Logger } from '@outrider/platform/service';
import { elapse } from '../command/command.js';
import { Commands } from '../command/commands.repository.js';

const EVERY_MS = 1000;
const BATCH = 200;

/** Ends what time ends: `expired` before the release, `unknown` after it. Replicas share the rows. */
@Injectable()
export class Expiry implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly commands: Commands,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setTimeout(() => void this.round(), EVERY_MS);
  }

  onApplicationShutdown(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Returns how many commands changed. */
  sweep(now: Date): Promise<number> {
    return this.database.transaction(async (tx) => {
      const changed = (await this.commands.lockElapsed(tx, now, BATCH)).flatMap(
        (command) => elapse(command, now) ?? [],
      );
      for (const transition of changed) await this.commands.save(tx, transition);
      return changed.length;
    });
  }

  private async round(): Promise<void> {
    try {
      while ((await this.sweep(new Date())) === BATCH);
    } catch (error) {
      this.logger.warn({ err: error }, 'the expiry sweep waits');
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.round(), EVERY_MS);
  }
}
