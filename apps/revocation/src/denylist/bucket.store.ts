import { type KV, Kvm } from '@nats-io/kv';
import { headers } from '@nats-io/transport-node';
import { Inject, Injectable } from '@nestjs/common';
import { Denylist } from '@outrider/admission';
import {
  DENYLIST_BUCKET,
  DENYLIST_HEARTBEAT_KEY,
  DenylistEntry,
  DenylistHeartbeat,
  denylistKey,
} from '@outrider/contracts';
import { type KeptPublisher, Nats } from '@outrider/platform/nats';
import { LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { EntryName } from './claim.js';
import type { BucketContent } from './merge.js';

const READ_SILENCE_MS = 3000;

/** The bucket DENYLIST, from its writer's side. */
@Injectable()
export class DenylistBucket {
  private opened: Promise<KV> | undefined;
  private publisher: KeptPublisher | undefined;
  /** Markers of keys taken away by this process, oldest first; what a restart forgets stays: some hundred bytes each. */
  private readonly markers: { subject: string; seq: number; atMs: number }[] = [];

  constructor(
    private readonly nats: Nats,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** All that lies in it. What cannot be read counts as not there. Throws where it could not be read to the end. */
  async read(): Promise<BucketContent> {
    const expected = await this.records();
    if (expected === 0) return { list: new Denylist(), heartbeat: undefined };
    const connection = await this.nats.openReader();
    try {
      return await this.readAll(await new Kvm(connection).open(DENYLIST_BUCKET.name, { bindOnly: true }), expected);
    } finally {
      await connection.close();
    }
  }

  private async readAll(kv: KV, expected: number): Promise<BucketContent> {
    const list = new Denylist();
    let heartbeat: DenylistHeartbeat | undefined;
    let seen = 0;
    const records = await kv.watch();
    const cut = setTimeout(() => records.stop(), READ_SILENCE_MS);
    for await (const { key, value, operation, delta } of records) {
      cut.refresh();
      seen += 1;
      const json = operation === 'PUT' ? parseJson(value) : undefined;
      if (key === DENYLIST_HEARTBEAT_KEY) heartbeat = DenylistHeartbeat.safeParse(json).data;
      else if (operation === 'PUT') {
        const entry = DenylistEntry.safeParse(json);
        if (entry.success) list.apply(entry.data);
        else this.logger.error({ key, err: entry.error }, 'an entry of the denylist bucket cannot be read');
      }
      // `delta`: how many records are still to come of those that were there.
      if (delta === 0) break;
    }
    clearTimeout(cut);
    if (seen < expected) throw new Error(`the denylist bucket was read in part: ${seen} of ${expected}`);
    return { list, heartbeat };
  }

  /** Undefined in a bucket that nobody wrote, or that somebody emptied. */
  async heartbeat(): Promise<DenylistHeartbeat | undefined> {
    const record = await (await this.bucket()).get(DENYLIST_HEARTBEAT_KEY);
    return DenylistHeartbeat.safeParse(record?.operation === 'PUT' ? parseJson(record.value) : undefined).data;
  }

  /** How many records lie in it: entries, tombstones, markers, and the heartbeat. */
  async records(): Promise<number> {
    return (await (await this.bucket()).status()).values;
  }

  /** Puts entries in the order given, all at once: one connection keeps the order. Rejects where not all of them were stored. */
  async put(entries: readonly DenylistEntry[]): Promise<void> {
    // What is sent now would lie in a buffer, and the wait for its acknowledgements outlast the loss.
    if (!this.nats.connected) throw new Error('NATS is away');
    this.publisher ??= this.nats.keptPublisher();
    const messages = entries.map((entry) => ({
      subject: `$KV.${DENYLIST_BUCKET.name}.${denylistKey(entry.kind, entry.value)}`,
      payload: Buffer.from(JSON.stringify(entry)),
    }));
    await this.publisher.publishAll(undefined, messages);
  }

  /** @returns the bucket's revision, which grows with every write as long as it is the same bucket. */
  async beat(heartbeat: DenylistHeartbeat): Promise<number> {
    const kv = await this.bucket();
    return kv.put(DENYLIST_HEARTBEAT_KEY, JSON.stringify(DenylistHeartbeat.parse(heartbeat)));
  }

  /** Takes the key itself away, leaving a marker that tells readers so. */
  async purge({ kind, value }: EntryName): Promise<void> {
    const marker = headers();
    marker.set('KV-Operation', 'PURGE');
    marker.set('Nats-Rollup', 'sub');
    const subject = `$KV.${DENYLIST_BUCKET.name}.${denylistKey(kind, value)}`;
    const { seq } = await this.nats.jetstream.publish(subject, '', { headers: marker });
    this.markers.push({ subject, seq, atMs: Date.now() });
  }

  /** Takes away the markers too that are older than that, up to each marker alone: a key may be alive again. */
  async purgeMarkers(olderThanMs: number): Promise<void> {
    const manager = await this.nats.jetstreamManager();
    for (;;) {
      const [oldest] = this.markers;
      if (!oldest || Date.now() - oldest.atMs < olderThanMs) return;
      await manager.streams.purge(`KV_${DENYLIST_BUCKET.name}`, { filter: oldest.subject, seq: oldest.seq + 1 });
      this.markers.shift();
    }
  }

  private bucket(): Promise<KV> {
    this.opened ??= this.nats.bucket(DENYLIST_BUCKET.name).catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
