import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { Certificates } from '../certificate/certificates.repository.js';
import { Devices } from '../device/devices.repository.js';

const EVERY_MS = 1000;
const BATCH = 200;

/** Supersedes each certificate whose overlap is over. The ends stand in PostgreSQL, so a restart forgets none. */
@Injectable()
export class OverlapEnd implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly devices: Devices,
    private readonly certificates: Certificates,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.sweep().finally(() => {
        this.running = undefined;
      });
    }, EVERY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async sweep(): Promise<void> {
    try {
      for (const deviceId of await this.certificates.devicesPastOverlap(new Date(), BATCH)) await this.end(deviceId);
    } catch (error) {
      this.logger.warn({ err: error }, 'the end of overlaps waits');
    }
  }

  private end(deviceId: DeviceId): Promise<void> {
    return this.database.transaction(async (tx) => {
      await this.devices.mustLock(tx, deviceId);
      const now = new Date();
      for (const row of await this.certificates.pastOverlap(tx, deviceId, now)) {
        if (row.supersededBy) await this.certificates.supersede(tx, row, row.supersededBy, now);
      }
    });
  }
}
