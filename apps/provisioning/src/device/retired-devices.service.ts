import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { denylistAdd } from '@outrider/contracts';
import { Nats } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { IsNull } from 'typeorm';
import { DeviceRow } from './device.entity.js';

const EVERY_MS = 1000;
const BATCH = 100;

/** Has revocation put the ids of retired devices onto the denylist, for ever; tries until it did. */
@Injectable()
export class RetiredDevices implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly nats: Nats,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.denyAll().finally(() => {
        this.running = undefined;
      });
    }, EVERY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async denyAll(): Promise<void> {
    try {
      const retired = await this.database.transaction((tx) =>
        tx.find(DeviceRow, { where: { state: 'retired', deniedAt: IsNull() }, take: BATCH }),
      );
      if (retired.length === 0) return;
      await this.nats.request(denylistAdd, {
        entries: retired.map(
          ({ deviceId: value }) => ({ kind: 'device', value, mode: 'deny', reason: 'retired' }) as const,
        ),
        waitMs: 0,
      });
      const ids = retired.map(({ deviceId }) => deviceId);
      await this.database.query('UPDATE devices SET denied_at = now() WHERE device_id = ANY($1)', [ids]);
    } catch (error) {
      this.logger.warn({ err: error }, 'retired devices are not on the denylist yet');
    }
  }
}
