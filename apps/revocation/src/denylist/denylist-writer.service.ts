import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Denylist, DenylistEntry } from '@outrider/admission';
import { LOGGER, Metrics, Readiness } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { DenylistBucket } from './bucket.store.js';
import { DenylistRepository } from './denylist.repository.js';
import { DenylistSnapshots } from './snapshot.store.js';
import { DenylistTakeover } from './takeover.service.js';
import { type WriterLock, WriterLocks } from './writer-lock.store.js';

const BEAT_MS = 1000;
/** Entries a round: what an urgent change waits for at most, behind a backlog of others. */
const BATCH = 500;
/** Every so many heartbeats the bucket is counted: what somebody emptied is filled again. */
const COUNT_EVERY = 10;

/** What the writer knows of the bucket while it holds the lock. */
interface Held {
  readonly lock: WriterLock;
  readonly mirror: Denylist;
  readonly generation: number;
  /** Everything up to it lies in the bucket. */
  written: number;
  /** And of what is not bulk everything up to it. */
  urgent: number;
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
    private readonly denylist: DenylistRepository,
    private readonly bucket: DenylistBucket,
    private readonly locks: WriterLocks,
    private readonly takeover: DenylistTakeover,
    private readonly snapshots: DenylistSnapshots,
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
    await this.snapshots.stopped();
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
    const { held } = this;
    const changed = await this.writeChanges(held);
    if ((changed || beat) && this.held === held) await this.beat(held);
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
      const begunMs = performance.now();
      const { mirror, generation, written } = await this.takeover.begin(lock);
      await this.snapshots.recall().catch(() => undefined);
      const ms = Math.round(performance.now() - begunMs);
      this.logger.info({ generation, written, entries: mirror.count, ms }, 'writing the denylist bucket');
      return { lock, mirror, generation, written, urgent: written };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** @returns whether anything was written. */
  private async writeChanges(held: Held): Promise<boolean> {
    for (let hasWritten = false; ; hasWritten = true) {
      const { query } = held.lock;
      const { sequence, entries: next } = await this.denylist.pending(query, held.written, BATCH);
      if (sequence <= held.written) return hasWritten;
      if (hasWritten) await this.beat(held);
      if (this.held !== held) return false;
      const isBehind = sequence - held.written > BATCH;
      if (isBehind) await this.writeUrgent(held, sequence);
      // Read anew after what was urgent was written: whatever is in it is no older than that.
      const entries = isBehind ? await this.denylist.entries(query, held.written, sequence, BATCH) : next;
      await this.put(held, entries);
      held.written = entries.length < BATCH ? sequence : (entries.at(-1)?.sequence ?? sequence);
      held.mirror.advance(held.written);
    }
  }

  /** What is urgent among more than one round can take, told of at once. */
  private async writeUrgent(held: Held, sequence: number): Promise<void> {
    for (;;) {
      const after = Math.max(held.urgent, held.written);
      const entries = await this.denylist.urgentEntries(held.lock.query, after, sequence, BATCH);
      await this.put(held, entries);
      held.urgent = entries.length < BATCH ? sequence : (entries.at(-1)?.sequence ?? sequence);
      if (entries.length > 0) await this.beat(held);
      if (entries.length < BATCH) return;
    }
  }

  private async put({ mirror }: Held, entries: readonly DenylistEntry[]): Promise<void> {
    const news = entries.filter(({ kind, value, sequence }) => mirror.sequenceOf(kind, value) < sequence);
    await this.bucket.put(news);
    for (const entry of news) {
      mirror.apply(entry);
      // Entries come from the table, which has one of a name: no older one can come after its tombstone.
      if (entry.removed) mirror.forgetTombstone(entry.kind, entry.value);
    }
    this.entriesGauge.set(mirror.count);
  }

  private async beat(held: Held): Promise<void> {
    const { lock, mirror, generation, written, urgent } = held;
    const { count, digest } = mirror;
    const ahead = urgent > written ? { urgent } : {};
    const revision = await this.bucket.beat({ generation, sequence: written, count, digest, ...ahead });
    const isWhole = revision > this.lastRevision && !(await this.lacksEntries(mirror));
    this.lastRevision = revision;
    if (isWhole) {
      this.snapshots.consider({ mirror, generation, sequence: written, revision, isLost: () => lock.lost });
      return;
    }
    this.logger.warn({ revision }, 'the denylist bucket has gone back or lost entries: it is merged again');
    await this.letGo();
    this.wanted = 'beat';
  }

  private async lacksEntries(mirror: Denylist): Promise<boolean> {
    this.beats += 1;
    if (this.beats % COUNT_EVERY !== 0) return false;
    // Besides the live ones there is the heartbeat at least.
    return (await this.bucket.records()) <= mirror.count;
  }
}
