import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import { elapse } from '../command/command.js';
import { Transitions } from '../command/transitions.repository.js';
import { PresenceRepository } from '../presence/presence.repository.js';
import { Elapsed } from './elapsed.repository.js';

const EVERY_MS = 1000;
const BATCH = 200;

/** Ends what time ends: `expired` before the release, `unknown` after it. Replicas share the rows. */
@Injectable()
export class Expiry implements OnApplicationBootstrap {
  constructor(
    private readonly database: Database,
    private readonly elapsed: Elapsed,
    private readonly presence: PresenceRepository,
    private readonly transitions: Transitions,
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
      const over = await this.elapsed.lock(tx, now, BATCH);
      const seen = await this.presence.of(
        tx,
        over.filter(({ state }) => state === 'released').map(({ deviceId }) => deviceId),
      );
      const changed = over.flatMap((command) => elapse(command, now, seen.get(command.deviceId)) ?? []);
      await this.transitions.save(tx, changed);
      return changed.length;
    });
  }
}
