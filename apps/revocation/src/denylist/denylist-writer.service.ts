import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Denylist } from '@outrider/admission';
import { Database } from '@outrider/platform/postgres';
import { LOGGER, Metrics, Readiness } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { DenylistBucket } from './bucket.store.js';
import { DenylistRepository } from './denylist.repository.js';
import { merge } from './merge.js';
import { type WriterLock, WriterLocks } from './writer-lock.store.js';

const BEAT_MS = 1000;
const BATCH = 1000;
/** Every so many heartbeats the bucket is counted: what somebody emptied is filled again. */
const COUNT_EVERY = 10;

/** What the writer knows of the bucket while it holds the lock. */
interface Held {
  readonly lock: WriterLock;
  readonly mirror: Denylist;
  readonly generation: number;
  written: number;
}

/**
 * Writes the bucket from the database: at once after a commit, and a heartbeat each second. One replica at a time does; the
 * others wait for its lock. Nothing here fails a revocation: what could not be written is written when NATS is back.
 */
@Injectable()
export class DenylistWriter implements OnApplicationBootstrap, OnApplicationShutdown {
  private held: Held | undefined;
  private running: Promise<void> | undefined;
  private wanted: 'nothing' | 'changes' | 'beat' = 'nothing';
  private lastRevision = 0;
  private beats = 0;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly entriesGauge;

  constructor(
    private readonly database: Database,
    private readonly denylist: DenylistRepository,
    private readonly bucket: DenylistBucket,
    private readonly locks: WriterLocks,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
    readiness: Readiness,
  ) {
    this.entriesGauge = metrics.gauge(
      'outrider_denylist_written_entries',
      'Live denylist entries in the bucket, as its writer counts them.',
    );
    readiness.add('denylist-writer', () => ({
      ok: true,
      detail: this.held ? { written: this.held.written } : 'waits',
    }));
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.want('beat'), BEAT_MS);
    this.want('beat');
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.running;
    await this.held?.lock.release();
  }

  /** Something was committed: write it now. A replica that is not the writer need not act: PostgreSQL notifies the one that is. */
  readonly kick = (): void => {
    if (this.held) this.want('changes');
  };

  private want(what: 'changes' | 'beat'): void {
    if (this.stopped) return;
    if (this.wanted !== 'beat') this.wanted = what;
    this.running ??= this.work().finally(() => {
      this.running = undefined;
      if (this.wanted !== 'nothing') this.want(this.wanted);
    });
  }

  private async work(): Promise<void> {
    while (this.wanted !== 'nothing' && !this.stopped) {
      const beat = this.wanted === 'beat';
      this.wanted = 'nothing';
      try {
        await this.write(beat);
      } catch (error) {
        this.logger.warn({ err: error }, 'the denylist bucket waits: PostgreSQL or NATS is away');
        this.wanted = 'nothing';
        if (this.held?.lock.lost) await this.letGo();
      }
    }
  }

  private async write(beat: boolean): Promise<void> {
    if (this.held?.lock.lost) await this.letGo();
    this.held ??= await this.takeOver();
    if (!this.held) return;
    const changed = await this.writeChanges(this.held);
    if (changed || beat) await this.beat(this.held);
  }

  private async letGo(): Promise<void> {
    const { held } = this;
    this.held = undefined;
    await held?.lock.release();
  }

  private async takeOver(): Promise<Held | undefined> {
    const lock = await this.locks.tryTake(this.kick);
    if (!lock) return undefined;
    try {
      const held = await this.reconcile(lock);
      this.logger.info({ generation: held.generation, written: held.written }, 'writing the denylist bucket');
      return held;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Brings bucket and database together (union) before the first write. */
  private async reconcile(lock: WriterLock): Promise<Held> {
    const content = await this.bucket.read();
    const now = new Date();
    const before = await this.denylist.state(lock.query);
    const entries = await this.denylist.entries(lock.query, 0, before.sequence, Number.MAX_SAFE_INTEGER);
    const verdict = merge(content, { entries, ...before }, now);
    if (verdict.kind !== 'continue') {
      const { kind, generation } = verdict;
      this.logger.warn({ kind, generation, inBucket: content.entries.length, inDatabase: entries.length }, 'merging');
      await this.database.transaction(async (tx) => {
        await this.denylist.lock(tx);
        if (verdict.kind === 'refill') return this.denylist.setGeneration(tx, generation);
        if (verdict.withdraw.length > 0) await this.denylist.withdraw(tx, ['request', 'bucket'], verdict.withdraw, now);
        if (verdict.adopt.length > 0) await this.denylist.claim(tx, 'bucket', verdict.adopt, now);
        await this.denylist.startOver(tx, generation, verdict.floor);
      });
    }
    const written = verdict.kind === 'continue' ? verdict.written : 0;
    const mirror = new Denylist();
    for (const entry of entries) if (entry.sequence <= written) mirror.apply(entry);
    const generation = verdict.kind === 'continue' ? before.generation : verdict.generation;
    return { lock, mirror, generation, written };
  }

  /** @returns whether anything was written. */
  private async writeChanges(held: Held): Promise<boolean> {
    const { sequence } = await this.denylist.state(held.lock.query);
    if (sequence <= held.written) return false;
    for (;;) {
      const entries = await this.denylist.entries(held.lock.query, held.written, sequence, BATCH);
      await this.bucket.put(entries);
      for (const entry of entries) held.mirror.apply(entry);
      const last = entries.at(-1);
      if (!last || entries.length < BATCH) break;
      held.written = last.sequence;
    }
    held.written = sequence;
    held.mirror.advance(sequence);
    this.entriesGauge.set(held.mirror.count);
    return true;
  }

  private async beat({ lock, mirror, generation, written }: Held): Promise<void> {
    const { count, digest } = mirror;
    const revision = await this.bucket.beat({ generation, sequence: written, count, digest });
    const isWhole = revision > this.lastRevision && !(await this.lacksEntries(lock));
    this.lastRevision = revision;
    if (isWhole) return;
    this.logger.warn({ revision }, 'the denylist bucket has gone back or lost entries: it is merged again');
    await this.letGo();
    this.wanted = 'beat';
  }

  private async lacksEntries(lock: WriterLock): Promise<boolean> {
    this.beats += 1;
    if (this.beats % COUNT_EVERY !== 0) return false;
    // Tombstones leave the bucket before they leave the table, so only the live are counted on.
    return (await this.bucket.records()) <= (await this.denylist.liveCount(lock.query));
  }
}
