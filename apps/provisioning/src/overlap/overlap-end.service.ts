import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import { Certificates } from '../certificate/certificates.repository.js';
import { Devices } from '../device/devices.repository.js';

const EVERY_MS = 1000;
const BATCH = 200;

/** Supersedes each certificate whose overlap is over. The ends stand in PostgreSQL, so a restart forgets none. */
@Injectable()
export class OverlapEnd implements OnApplicationBootstrap {
  constructor(
    private readonly database: Database,
    private readonly devices: Devices,
    private readonly certificates: Certificates,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'the end of overlaps waits', () => this.sweep());
  }

  private async sweep(): Promise<void> {
    for (const deviceId of await this.certificates.devicesPastOverlap(new Date(), BATCH)) await this.end(deviceId);
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
