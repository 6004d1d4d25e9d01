import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import { DenylistBucket } from './bucket.store.js';
import { DenylistRepository } from './denylist.repository.js';

const EVERY_MS = 60_000;
const BATCH = 1000;
/** How long a tombstone lies in the bucket, for readers that were cut off, and its marker after it. */
const TOMBSTONE_MS = 3_600_000;

/** Ends entries whose time is over, and clears away what is left of them. */
@Injectable()
export class DenylistPurge implements OnApplicationBootstrap {
  constructor(
    private readonly database: Database,
    private readonly denylist: DenylistRepository,
    private readonly bucket: DenylistBucket,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'the denylist is not purged', () => this.purge(new Date()));
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
