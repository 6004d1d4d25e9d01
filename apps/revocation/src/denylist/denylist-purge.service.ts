import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { DenylistBucket } from './bucket.store.js';
import { DenylistRepository } from './denylist.repository.js';

const EVERY_MS = 60_000;
const BATCH = 1000;
/** How long a tombstone lies in the bucket, for readers that were cut off, and its marker after it. */
const TOMBSTONE_MS = 3_600_000;

/** Ends entries whose time is over, and clears away what is left of them. */
@Injectable()
export class DenylistPurge implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly denylist: DenylistRepository,
    private readonly bucket: DenylistBucket,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.purge(new Date())
        .catch((error: unknown) => this.logger.warn({ err: error }, 'the denylist is not purged'))
        .finally(() => {
          this.running = undefined;
        });
    }, EVERY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  async purge(now: Date): Promise<void> {
    while ((await this.database.transaction((tx) => this.denylist.expire(tx, BATCH, now))).count === BATCH);
    const before = new Date(now.getTime() - TOMBSTONE_MS);
    const forgotten = await this.database.transaction(async (tx) => {
      // Under the lock no name can come back to life between the two.
      const names = await this.denylist.forgetTombstones(tx, before, BATCH);
      await Promise.all(names.map((name) => this.bucket.purge(name)));
      return names.length;
    });
    if (forgotten > 0) await this.bucket.purgeMarkers(TOMBSTONE_MS);
  }
}
