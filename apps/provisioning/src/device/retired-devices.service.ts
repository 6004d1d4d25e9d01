import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { denylistAdd } from '@outrider/contracts';
import { Nats } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import { IsNull } from 'typeorm';
import { DeviceRow } from './device.entity.js';

const EVERY_MS = 1000;
const BATCH = 100;

/** Has revocation put the ids of retired devices onto the denylist, for ever; tries until it did. */
@Injectable()
export class RetiredDevices implements OnApplicationBootstrap {
  constructor(
    private readonly database: Database,
    private readonly nats: Nats,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'retired devices are not on the denylist yet', () => this.denyAll());
  }

  private async denyAll(): Promise<void> {
    const retired = await this.database.transaction((tx) =>
      tx.find(DeviceRow, { where: { state: 'retired', deniedAt: IsNull() }, take: BATCH }),
    );
    if (retired.length === 0) return;
    await this.nats.request(denylistAdd, {
      entries: retired.map(
        ({ deviceId: value }) => ({ kind: 'device', value, mode: 'deny', reason: 'retired', lasting: true }) as const,
      ),
      waitMs: 0,
    });
    const ids = retired.map(({ deviceId }) => deviceId);
    await this.database.query('UPDATE devices SET denied_at = now() WHERE device_id = ANY($1)', [ids]);
  }
}
