import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { type DenylistMode, deviceDenied, deviceRecovered } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Subscriptions } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { DenylistRepository } from '../denylist/denylist.repository.js';
import { DenylistService } from '../denylist/denylist.service.js';
import { Recoveries, type Recovery } from './recoveries.repository.js';
import { endedClaims } from './recovery.js';

interface Word {
  readonly deviceId: DeviceId;
  readonly version: number;
  readonly mode: DenylistMode | undefined;
  readonly reason: string;
}

/** Follows the registry: whom it wants denied, and whom two operators gave the way back. Each handler can run twice. */
@Injectable()
export class RegistryConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly database: Database,
    private readonly lock: DenylistRepository,
    private readonly denylist: DenylistService,
    private readonly recoveries: Recoveries,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.consume(deviceDenied, ({ deviceId, version, mode, reason = 'registry' }) =>
      this.denied({ deviceId, version, mode, reason }, new Date()),
    );
    this.subscriptions.consume(deviceRecovered, ({ revokedUpTo, at, ...order }) =>
      this.recovered({ ...order, at: new Date(at), upTo: revokedUpTo ? new Date(revokedUpTo) : undefined }, new Date()),
    );
  }

  private async denied({ deviceId: value, version, mode, reason }: Word, now: Date): Promise<void> {
    await this.database.transaction(async (tx) => {
      await this.lock.lock(tx);
      if (!(await this.recoveries.isLatestWord(tx, value, version))) return;
      if (mode) await this.denylist.claim(tx, 'registry', [{ kind: 'device', value, mode, reason }], now);
      else await this.denylist.withdraw(tx, ['registry'], { kind: 'device', value }, now);
    });
  }

  /** Keys and certificates that were revoked stay denied; the device's name is free again, where no later revocation names it. */
  private async recovered(recovery: Recovery, now: Date): Promise<void> {
    await this.database.transaction(async (tx) => {
      await this.lock.lock(tx);
      if (!(await this.recoveries.add(tx, recovery))) return;
      const { deviceId: value, upTo } = recovery;
      const ended = endedClaims(await this.recoveries.lastRevokedAt(tx, value), upTo);
      if (ended.length > 0) await this.denylist.withdraw(tx, ended, { kind: 'device', value }, now);
    });
  }
}
