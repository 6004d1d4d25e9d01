import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import { elapse } from '../command/command.js';
import { Commands } from '../command/commands.repository.js';

const EVERY_MS = 1000;
const BATCH = 200;

/** Ends what time ends: `expired` before the release, `unknown` after it. Replicas share the rows. */
@Injectable()
export class Expiry implements OnApplicationBootstrap {
  constructor(
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'the expiry sweep waits', async () => {
      while ((await this.sweep(new Date())) === BATCH);
    });
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
}
