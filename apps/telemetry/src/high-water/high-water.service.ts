import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { LOGGER, Metrics, Readiness } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { MarksClient } from './marks.client.js';
import { RollbacksRepository } from './rollbacks.repository.js';

const AGAIN_MS = 1_000;
/** Devices named in the log; the rest are in the listing. */
const NAMED = 20;

/**
 * Counters are never rolled back: before anything is taken or sent, what the stream of events remembers is compared with the windows. A
 * database that knows less was restored from an older backup, and the devices concerned are held until an operator opens an epoch
 * for them (docs/runbooks/restore-telemetry.md).
 */
@Injectable()
export class HighWater implements OnModuleInit {
  private readonly held;

  constructor(
    private readonly marks: MarksClient,
    private readonly rollbacks: RollbacksRepository,
    private readonly readiness: Readiness,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.held = metrics.gauge(
      'outrider_telemetry_held_devices',
      'Devices whose telemetry is refused until an operator opens an epoch for them.',
    );
  }

  /** Before the outbox starts: what a restored one still held would be sent again, and take the place of later marks. */
  async onModuleInit(): Promise<void> {
    this.readiness.add('epochs', async () => {
      const held = await this.rollbacks.countHeld();
      this.held.set(held);
      // Nobody else waits for the devices concerned, so this takes no instance out.
      return { ok: true, detail: { heldDevices: held } };
    });
    for (;;) {
      try {
        return await this.compare();
      } catch (error) {
        this.logger.warn({ err: error }, 'waiting for the high-water marks: nothing is taken before they are compared');
        await sleep(AGAIN_MS);
      }
    }
  }

  private async compare(): Promise<void> {
    const startedAt = performance.now();
    const subjects = await this.marks.subjects();
    const held: string[] = [];
    for await (const { marks, unreadable } of this.marks.pages(subjects)) {
      if (unreadable.length > 0) this.logger.error({ unreadable }, 'events that are none of ours are no marks');
      const lost = marks.length > 0 ? await this.rollbacks.lost(marks) : [];
      if (lost.length > 0) held.push(...(await this.rollbacks.hold(lost)));
    }
    const ms = Math.round(performance.now() - startedAt);
    if (held.length === 0) this.logger.info({ devices: subjects.length, ms }, 'high-water marks compared');
    else {
      this.logger.error(
        { held: held.length, of: subjects.length, devices: held.slice(0, NAMED), ms },
        'the database was restored from an older backup: these devices wait for an operator to open an epoch',
      );
    }
  }
}
