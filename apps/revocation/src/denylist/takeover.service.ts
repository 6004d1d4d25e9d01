import { Inject, Injectable } from '@nestjs/common';
import { Denylist } from '@outrider/admission';
import { DenylistFeed } from '@outrider/platform/admission';
import { Database } from '@outrider/platform/postgres';
import { LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { DenylistBucket } from './bucket.store.js';
import { DenylistRepository, type DenylistState } from './denylist.repository.js';
import { merge } from './merge.js';
import type { WriterLock } from './writer-lock.store.js';

const PAGE = 5000;
/** How long this instance's own reading of the bucket is waited for; after it the bucket is read once more. */
const FEED_WAIT_MS = 20_000;

/** Where a writer begins. `mirror`: the live entries that lie in the bucket, up to `written`. */
export interface Beginning {
  readonly mirror: Denylist;
  readonly generation: number;
  readonly written: number;
}

/** Brings bucket and database together before a writer's first write: they are one list, or become it by union. */
@Injectable()
export class DenylistTakeover {
  constructor(
    private readonly database: Database,
    private readonly denylist: DenylistRepository,
    private readonly bucket: DenylistBucket,
    private readonly feed: DenylistFeed,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async begin(lock: WriterLock): Promise<Beginning> {
    return (await this.goOn(lock)) ?? this.reconcile(lock);
  }

  /**
   * What this instance enforces is proven to be what lies in the bucket. With the changes that are committed and not written yet it
   * must be, by count and digest, what PostgreSQL holds: then nothing is to be merged, and a million entries are not read twice.
   */
  private async goOn(lock: WriterLock): Promise<Beginning | undefined> {
    const heartbeat = await this.bucket.heartbeat();
    if (!heartbeat) return undefined;
    await this.feed.settled(FEED_WAIT_MS);
    const { proven } = this.feed;
    if (proven?.generation !== heartbeat.generation || proven.sequence < heartbeat.sequence) return undefined;
    const mirror = withoutTombstones(proven.list);
    const { generation, sequence: written } = proven;
    const agrees = await lock.atOnce(async () => {
      const state = await this.denylist.state(lock.query);
      if (state.generation !== generation || state.sequence < written) return false;
      const { count, digest } = await this.denylist.summary(lock.query);
      const whole = state.sequence === written ? mirror : mirror.clone();
      for await (const entry of this.entries(lock, written, state.sequence)) whole.apply(entry);
      return whole.count === count && whole.digest === digest;
    });
    if (!agrees || (await this.bucket.records()) <= mirror.count) return undefined;
    return { mirror, generation, written };
  }

  private async reconcile(lock: WriterLock): Promise<Beginning> {
    const content = await this.bucket.read();
    const now = new Date();
    const { state: before, list } = await lock.atOnce(() => this.load(lock));
    const verdict = merge(content, { list, ...before }, now);
    if (verdict.kind !== 'continue') {
      const { kind, generation } = verdict;
      this.logger.warn({ kind, generation, inBucket: content.list.count, inDatabase: list.count }, 'merging');
      await this.database.transaction(async (tx) => {
        await this.denylist.lock(tx);
        if (verdict.kind === 'refill') return this.denylist.setGeneration(tx, generation);
        for (const names of pages(verdict.withdraw))
          await this.denylist.withdraw(tx, ['request', 'bucket'], names, now);
        for (const claims of pages(verdict.adopt)) await this.denylist.claim(tx, 'bucket', claims, now);
        await this.denylist.startOver(tx, generation, verdict.floor);
      });
      // After the new generation is committed: readers that see a key go read the whole bucket again.
      if (verdict.kind === 'restore') for (const name of verdict.drop) await this.bucket.purge(name);
      return { mirror: new Denylist(), generation, written: 0 };
    }
    const mirror = new Denylist();
    for (const entry of list.entries()) if (entry.sequence <= verdict.written && !entry.removed) mirror.apply(entry);
    mirror.advance(verdict.written);
    return { mirror, generation: before.generation, written: verdict.written };
  }

  private async load(lock: WriterLock): Promise<{ state: DenylistState; list: Denylist }> {
    const state = await this.denylist.state(lock.query);
    const list = new Denylist();
    for await (const entry of this.entries(lock, 0, state.sequence)) list.apply(entry);
    return { state, list };
  }

  private async *entries(lock: WriterLock, after: number, to: number) {
    for (let last = after; ; ) {
      const page = await this.denylist.entries(lock.query, last, to, PAGE);
      yield* page;
      if (page.length < PAGE) return;
      last = page.at(-1)?.sequence ?? to;
    }
  }
}

/** A copy: what the feed holds goes on changing. */
function withoutTombstones(list: Denylist): Denylist {
  const copy = list.clone();
  copy.forgetTombstones();
  return copy;
}

function* pages<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += PAGE) yield all.slice(at, at + PAGE);
}
