import { hash } from 'node:crypto';
import type { KV } from '@nats-io/kv';
import { Inject, Injectable } from '@nestjs/common';
import type { Denylist } from '@outrider/admission';
import { DENYLIST_MANIFEST_KEY, DENYLIST_SNAPSHOT_BUCKET, DenylistManifest } from '@outrider/contracts';
import { Nats } from '@outrider/platform/nats';
import { LOGGER, Metrics } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { isSnapshotDue } from './snapshot-due.js';

/** Some 2,400 entries: what a reader applies in one turn of its event loop. */
const CHUNK_BYTES = 131_072;
const AHEAD = 4;

/** What a heartbeat has just told, and the list that it told of. `isLost`: another replica may write by now. */
export interface Written {
  readonly mirror: Denylist;
  readonly generation: number;
  readonly sequence: number;
  readonly revision: number;
  readonly isLost: () => boolean;
}

/**
 * Writes the list, packed, beside the bucket. It lies in two slots in turn, so that who reads one is not overwritten. Nothing hangs
 * on it: a reader that cannot use it reads the bucket.
 */
@Injectable()
export class DenylistSnapshots {
  private last: { manifest: DenylistManifest; atMs: number } | undefined;
  private running: Promise<void> | undefined;
  private readonly duration;
  private readonly failures;

  constructor(
    private readonly nats: Nats,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.duration = metrics.gauge(
      'outrider_denylist_snapshot_write_seconds',
      'How long the last snapshot took to write.',
    );
    this.failures = metrics.counter('outrider_denylist_snapshot_failures_total', 'Snapshots that were not written.');
  }

  /** Called after a heartbeat, with nothing under way to the bucket: at `revision` it holds what the mirror holds. */
  consider(written: Written): void {
    if (this.running) return;
    const { generation, sequence, mirror } = written;
    const known = this.last?.manifest.generation === generation ? this.last : undefined;
    const last = known && { sequence: known.manifest.sequence, ageMs: performance.now() - known.atMs };
    if (!isSnapshotDue({ sequence, count: mirror.count }, last)) return;
    this.running = this.write(written)
      .catch((error: unknown) => {
        this.failures.inc();
        this.logger.warn({ err: error }, "the denylist's snapshot was not written");
      })
      .finally(() => {
        this.running = undefined;
      });
  }

  /** At the start of a writer: what is there need not be written again. Its age is not known: it counts as new. */
  async recall(): Promise<void> {
    const record = await (await this.bucket()).get(DENYLIST_MANIFEST_KEY);
    const { data: manifest } = DenylistManifest.safeParse(record?.operation === 'PUT' ? record.json() : undefined);
    this.last = manifest && { manifest, atMs: performance.now() };
  }

  async stopped(): Promise<void> {
    await this.running;
  }

  private async write({ mirror, generation, sequence, revision, isLost }: Written): Promise<void> {
    const begunMs = performance.now();
    const bucket = await this.bucket();
    const slot = this.last?.manifest.chunks[0]?.key.startsWith('a.') ? 'b' : 'a';
    const manager = await this.nats.jetstreamManager();
    const subject = `$KV.${DENYLIST_SNAPSHOT_BUCKET.name}.${slot}.>`;
    await manager.streams.purge(`KV_${DENYLIST_SNAPSHOT_BUCKET.name}`, { filter: subject });
    const chunks: { key: string; sha256: string }[] = [];
    const puts: Promise<unknown>[] = [];
    // Whatever changes while this goes on is in the bucket at a later revision.
    for (const chunk of mirror.packed(CHUNK_BYTES)) {
      const key = `${slot}.${chunks.length}`;
      chunks.push({ key, sha256: hash('sha256', chunk) });
      puts.push(bucket.put(key, chunk));
      if (puts.length >= AHEAD) await puts.shift();
      if (isLost()) throw new Error('another replica writes the denylist by now');
    }
    await Promise.all(puts);
    const manifest = DenylistManifest.parse({ generation, sequence, revision, count: mirror.count, chunks });
    await bucket.put(DENYLIST_MANIFEST_KEY, JSON.stringify(manifest));
    this.last = { manifest, atMs: performance.now() };
    this.duration.set((performance.now() - begunMs) / 1000);
    this.logger.info({ revision, chunks: chunks.length, entries: mirror.count }, "the denylist's snapshot was written");
  }

  private bucket(): Promise<KV> {
    return this.nats.bucket(DENYLIST_SNAPSHOT_BUCKET.name);
  }
}
