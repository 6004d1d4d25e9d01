import type { KV, KvWatchEntry } from '@nats-io/kv';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import {
  type DenylistEntry,
  type DenylistSubject,
  type Freshness,
  type FreshnessLimits,
  freshness,
} from '@outrider/admission';
import {
  DENYLIST_BUCKET,
  DENYLIST_HEARTBEAT_KEY,
  DenylistHeartbeat,
  DenylistKind,
  denylistEnforced,
  denylistKey,
  DenylistEntry as EntryRecord,
} from '@outrider/contracts';
import type { Logger } from 'pino';
import { Nats } from '../nats/nats.client.js';
import { Metrics } from '../service/metrics.service.js';
import { type Check, Readiness } from '../service/readiness.service.js';
import { LOGGER, RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { Connections } from './connections.service.js';
import { readSnapshot } from './denylist-snapshot.client.js';
import { FeedState, type HeartbeatOutcome, type Proven } from './feed-state.js';

const RETRY_MS = 250;
const WATCHDOG_MS = 1000;
/** A watch that stays silent is opened anew; the writer may be away, so ever more rarely. */
const MIN_SILENCE_MS = 3000;
const MAX_SILENCE_MS = 60_000;

/** What happens to the list in force. `changed`: these entries, tombstones among them; `swapped`: all of it may be another. */
export interface DenylistListener {
  changed(entries: readonly DenylistEntry[]): void;
  swapped(): void;
}

/**
 * The denylist as this process enforces it: reads a snapshot, watches the bucket, proves what it holds by each heartbeat, closes the
 * connections that new entries name and then says so. Without NATS the list stays in force and its age grows.
 */
@Injectable()
export class DenylistFeed implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly state = new FeedState();
  private readonly limits: FreshnessLimits;
  private readonly applied: DenylistEntry[] = [];
  /** A connection of its own, of a user that answers nobody: a million entries cost the server no list of replies. */
  private reader: Nats | undefined;
  private watcher: { stop(): void } | undefined;
  private watchdog: NodeJS.Timeout | undefined;
  private stopped = false;
  private flushing = false;
  private heardAtMs = performance.now();
  private silenceMs = MIN_SILENCE_MS;
  private revision = 0;
  private acknowledged = '';
  /** A list that was read from a snapshot and turned out another is read once without it. */
  private distrustsSnapshot = false;
  private reading = Promise.withResolvers<void>();
  private readBeganMs = 0;
  private readonly listeners = new Set<DenylistListener>();
  private readonly malformed;
  private readonly resyncs;
  private readonly snapshots;
  private readonly readSeconds;

  constructor(
    private readonly nats: Nats,
    private readonly connections: Connections,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    @Inject(LOGGER) private readonly logger: Logger,
    readiness: Readiness,
    metrics: Metrics,
  ) {
    const { controlStaleMs, staleMs } = runtime.config.revocation;
    this.limits = { controlStaleMs, staleMs };
    this.malformed = metrics.counter('outrider_denylist_malformed_total', 'Denylist records out of contract.');
    this.resyncs = metrics.counter(
      'outrider_denylist_resyncs_total',
      'Times the denylist was read from the beginning.',
    );
    this.snapshots = metrics.counter('outrider_denylist_snapshots_total', 'Snapshots of the denylist that were read.');
    this.readSeconds = metrics.gauge(
      'outrider_denylist_read_seconds',
      'How long the last reading of the denylist took, from its beginning to its proof.',
    );
    metrics.gauge('outrider_denylist_bytes', 'Memory that the denylist takes.', [], (gauge) =>
      gauge.set(this.state.live.bytes),
    );
    metrics.gauge(
      'outrider_denylist_age_seconds',
      'Age of the last heartbeat that proved the denylist; +Inf before the first.',
      [],
      (gauge) => gauge.set(this.ageMs() / 1000),
    );
    metrics.gauge('outrider_denylist_entries', 'Live denylist entries.', [], (gauge) =>
      gauge.set(this.state.live.count),
    );
    metrics.gauge(
      'outrider_denylist_sequence',
      'Everything up to this revision of the denylist is enforced here.',
      [],
      (gauge) => gauge.set(this.sequence),
    );
    readiness.add('revocation feed', () => this.check());
  }

  onApplicationBootstrap(): void {
    void this.watchForEver();
    this.watchdog = setInterval(() => this.watch(), WATCHDOG_MS);
  }

  onApplicationShutdown(): void {
    this.stopped = true;
    clearInterval(this.watchdog);
    this.watcher?.stop();
    void this.reader?.connection.close().catch(() => undefined);
  }

  /** What the list says of a subject now; undefined = nothing. Whoever acts on it asks `freshness` too. */
  match(subject: DenylistSubject, nowMs: number = Date.now()): DenylistEntry | undefined {
    return this.state.live.match(subject, nowMs);
  }

  /** Monotonic age in milliseconds of the last heartbeat that proved the list; Infinity before the first. */
  ageMs(): number {
    return this.state.ageMs(performance.now(), this.limits);
  }

  freshness(): Freshness {
    return freshness(this.ageMs(), this.limits);
  }

  get freshnessLimits(): FreshnessLimits {
    return this.limits;
  }

  /** Everything up to it is enforced here. */
  get sequence(): number {
    return this.state.covered?.sequence ?? 0;
  }

  /** Whether a heartbeat has proven the list in force, and no other one is being read. */
  get isProven(): boolean {
    return this.state.covered !== undefined;
  }

  /** The list in force, where it is known to be exactly what lies in the bucket. Not to be changed, and another at the next turn. */
  get proven(): Proven | undefined {
    return this.state.proven;
  }

  /** Resolves when the reading under way has come to an end, proven or not; after `ms` at the latest. */
  async settled(ms: number): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const given = new Promise<void>((resolve) => {
      late = setTimeout(resolve, ms);
    });
    await Promise.race([this.reading.promise, given]);
    clearTimeout(late);
  }

  /** Live entries of these kinds. Pull them over several turns: one changed meanwhile comes or not, `listen` tells of it. */
  *walk(kinds: readonly DenylistKind[]): Generator<DenylistEntry> {
    for (const entry of this.state.live.entries(kinds)) if (!entry.removed) yield entry;
  }

  /** @returns how to stop. A listener's errors are logged. */
  listen(listener: DenylistListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private check(): Check {
    const ageMs = this.ageMs();
    const { sequence, count } = this.state.live;
    const detail = { ageMs: Number.isFinite(ageMs) ? Math.round(ageMs) : null, sequence, count };
    return { ok: this.freshness() === 'fresh', detail };
  }

  private async watchForEver(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.watchOnce();
      } catch (error) {
        if (!this.stopped) this.logger.warn({ err: error }, 'the denylist cannot be watched');
      }
      if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  private async watchOnce(): Promise<void> {
    this.heardAtMs = performance.now();
    this.readBeganMs = performance.now();
    this.reading = Promise.withResolvers();
    if (this.reader?.connection.isClosed()) this.reader = undefined;
    this.reader ??= await this.openReader();
    const bucket = await this.reader.bucket(DENYLIST_BUCKET.name);
    this.state.beginResync();
    this.resyncs.inc();
    const from = this.distrustsSnapshot ? undefined : await this.readSnapshot(this.reader, bucket);
    const watcher = await bucket.watch({ key: '>', ...(from === undefined ? {} : { resumeFromRevision: from }) });
    if (this.stopped) {
      watcher.stop();
      return;
    }
    this.watcher = watcher;
    let reading = true;
    for await (const record of watcher) {
      // What was replaced before it was read is no gap; what is replaced while it travels is.
      if (!reading && record.revision !== this.revision + 1) this.state.gap();
      this.revision = record.revision;
      this.take(record);
      // `delta`: how many records are still to come of those that were there.
      if (!reading || record.delta !== 0) continue;
      reading = false;
      this.conclude(this.state.snapshotComplete());
      this.reading.resolve();
    }
  }

  /** @returns from which revision to watch: that of a heartbeat, so that there is always one to come. */
  private async readSnapshot(reader: Nats, bucket: KV): Promise<number | undefined> {
    try {
      const record = await bucket.get(DENYLIST_HEARTBEAT_KEY);
      const { data: heartbeat } = DenylistHeartbeat.safeParse(record?.operation === 'PUT' ? record.json() : undefined);
      if (!heartbeat) return undefined;
      const revision = await readSnapshot(reader, heartbeat.generation, (chunk) => {
        this.heardAtMs = performance.now();
        this.state.chunk(chunk);
      });
      if (revision !== undefined) this.snapshots.inc();
      return revision;
    } catch (error) {
      this.logger.warn({ err: error }, "the denylist's snapshot was not read: the whole bucket is");
      this.state.beginResync();
      return undefined;
    }
  }

  private take(record: KvWatchEntry): void {
    this.heardAtMs = performance.now();
    if (record.operation !== 'PUT') this.forget(record.key);
    else if (record.key === DENYLIST_HEARTBEAT_KEY) this.takeHeartbeat(record);
    else this.takeEntry(record);
  }

  private takeEntry(record: KvWatchEntry): void {
    const { data: entry } = EntryRecord.safeParse(parseJson(record));
    if (!entry || denylistKey(entry.kind, entry.value) !== record.key) {
      this.refuse(record);
      return;
    }
    if (this.state.entry(entry)) this.applied.push(entry);
    this.scheduleFlush();
  }

  private takeHeartbeat(record: KvWatchEntry): void {
    const { data: heartbeat } = DenylistHeartbeat.safeParse(parseJson(record));
    if (!heartbeat) {
      this.refuse(record);
      return;
    }
    this.silenceMs = MIN_SILENCE_MS;
    this.conclude(this.state.heartbeat(heartbeat, performance.now()));
  }

  private conclude(outcome: HeartbeatOutcome): void {
    if (outcome === 'same') this.flush();
    if (outcome === 'swapped') {
      this.distrustsSnapshot = false;
      this.readSeconds.set((performance.now() - this.readBeganMs) / 1000);
      const named = this.connections.closeNamed(this.applied.splice(0), Date.now());
      this.acknowledge(named + this.connections.closeMatching(this.state.live, Date.now()));
      this.tell((listener) => listener.swapped());
    }
    if (outcome !== 'resync') return;
    this.logger.warn({ sequence: this.state.live.sequence }, 'the denylist differs from its writer: reading it again');
    this.distrustsSnapshot = true;
    this.reading.resolve();
    this.restart();
  }

  /** Entries that came together are enforced together; their heartbeat, which mostly comes with them, does not wait for the turn's end. */
  private scheduleFlush(): void {
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(() => this.flush());
  }

  private flush(): void {
    this.flushing = false;
    const entries = this.applied.splice(0);
    const closed = entries.length === 0 ? 0 : this.connections.closeNamed(entries, Date.now());
    this.acknowledge(closed);
    if (entries.length > 0) this.tell((listener) => listener.changed(entries));
  }

  /** Once for each heartbeat that told of more than the one before. */
  private acknowledge(closedConnections: number): void {
    const { covered } = this.state;
    const said = `${this.state.generation} ${covered?.sequence} ${covered?.urgent}`;
    if (!covered || this.stopped || (said === this.acknowledged && closedConnections === 0)) return;
    this.acknowledged = said;
    const { sequence, urgent } = covered;
    const { instance } = this.runtime;
    const payload = { instance, sequence, ...(urgent > sequence ? { urgent } : {}), closedConnections };
    try {
      this.nats.publish(denylistEnforced, payload, instance);
    } catch (error) {
      this.logger.warn({ err: error }, 'the acknowledgement was not sent; the lease carries it');
    }
  }

  private tell(what: (listener: DenylistListener) => void): void {
    for (const listener of this.listeners) {
      try {
        what(listener);
      } catch (error) {
        this.logger.error({ err: error }, 'a listener to the denylist failed');
      }
    }
  }

  private forget(key: string): void {
    const [kind, value] = key.split('.', 2);
    const known = DenylistKind.safeParse(kind);
    if (known.success && value) this.state.purged(known.data, Buffer.from(value, 'base64url').toString());
  }

  private refuse(record: KvWatchEntry): void {
    this.malformed.inc();
    this.logger.error({ key: record.key, revision: record.revision }, 'a denylist record is out of contract');
  }

  private restart(): void {
    this.watcher?.stop();
    this.watcher = undefined;
  }

  private watch(): void {
    if (this.reader?.connection.isClosed()) this.restart();
    if (!this.reader?.connected || performance.now() - this.heardAtMs < this.silenceMs) return;
    this.silenceMs = Math.min(MAX_SILENCE_MS, this.silenceMs * 2);
    this.restart();
  }

  private async openReader(): Promise<Nats> {
    const connection = await this.nats.openReader();
    if (this.stopped) await connection.close();
    const reader = new Nats(connection, this.runtime, this.logger);
    void this.restartAtReconnect(reader);
    return reader;
  }

  private async restartAtReconnect({ connection }: Nats): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type !== 'reconnect') continue;
      this.silenceMs = MIN_SILENCE_MS;
      this.restart();
    }
  }
}

function parseJson(record: KvWatchEntry): unknown {
  try {
    return JSON.parse(record.string());
  } catch {
    return undefined;
  }
}
