import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { deliveryOffered } from '@outrider/contracts';
import { Nats } from '@outrider/platform/nats';
import { CONFIG, Schedule } from '@outrider/platform/service';
import { Commands } from '../command/commands.repository.js';
import type { Config } from '../config.js';
import { IdempotencyKeys } from '../send/idempotency-keys.repository.js';

const DUE_MS = 500;
const KEYS_MS = 60_000;
/** What came due while no instance ran is found by vehicles that look; this much of it is told all the same. */
const BACK_MS = 60_000;

/** What comes by time on the sending side: vehicles hear of commands that are due, and old idempotency keys are forgotten. */
@Injectable()
export class DueService implements OnApplicationBootstrap {
  private toldUntil = new Date(Date.now() - BACK_MS);

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly commands: Commands,
    private readonly keys: IdempotencyKeys,
    private readonly nats: Nats,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(DUE_MS, 'commands that are due wait', () => this.tell(new Date()));
    this.schedule.every(KEYS_MS, 'old idempotency keys stay', () => this.forgetKeys(new Date()));
  }

  /** Every replica tells: hearing twice costs a look. */
  async tell(now: Date): Promise<void> {
    for (const { id, deviceId } of await this.commands.due(this.toldUntil, now))
      this.nats.publish(deliveryOffered, { commandId: id }, deviceId);
    this.toldUntil = now;
  }

  async forgetKeys(now: Date): Promise<number> {
    const oldest = new Date(now.getTime() - this.config.idempotencySeconds * 1000);
    let sum = 0;
    for (;;) {
      const { forgotten, more } = await this.keys.sweep(oldest);
      sum += forgotten;
      if (!more) return sum;
    }
  }
}
