import type { ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { DenylistEntry } from '@outrider/admission';
import { DenylistFeed } from '@outrider/platform/admission';
import { Metrics } from '@outrider/platform/service';
import { EDGE_KINDS, type FeedLine, feedEntry } from '../edge-map/feed-line.js';

const BEAT_MS = 1_000;
const SLICE = 1_000;
/** An edge that reads more slowly than this is cut off, and begins anew. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

/** Tells edges of the denylist as it is and as it changes, for as long as they listen. */
@Injectable()
export class EdgeFeed {
  private readonly streams = new Set<ServerResponse>();
  private readonly open;

  constructor(
    private readonly feed: DenylistFeed,
    metrics: Metrics,
  ) {
    this.open = metrics.gauge('outrider_edge_feeds', 'Edges that follow the denylist here.');
  }

  /** Ends when the edge leaves, or reads too slowly. */
  stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    this.streams.add(response);
    this.open.set(this.streams.size);
    let reading = 0;
    const read = () => {
      reading += 1;
      void this.whole(response, () => reading).catch(() => response.destroy());
    };
    const stop = this.feed.listen({
      changed: (entries) => this.write(response, linesOf(entries)),
      // Another list took over: it is told from the beginning, in the place of one that is being told.
      swapped: read,
    });
    const beating = setInterval(() => this.write(response, [this.beat()]), BEAT_MS);
    response.once('close', () => {
      stop();
      clearInterval(beating);
      this.streams.delete(response);
      this.open.set(this.streams.size);
    });
    // A list that is being read is told when it is whole: one told now would be shorter than what the edge holds.
    if (this.feed.isProven) read();
  }

  /** Whoever follows comes again, elsewhere. */
  end(): void {
    for (const response of this.streams) response.destroy();
  }

  /** Entries that change meanwhile are told as they change; each is at the end as it was told last. */
  private async whole(response: ServerResponse, current: () => number): Promise<void> {
    const mine = current();
    const isMine = () => !response.destroyed && current() === mine;
    this.write(response, [{ type: 'begin' }]);
    let slice: DenylistEntry[] = [];
    for (const entry of this.feed.walk(EDGE_KINDS)) {
      slice.push(entry);
      if (slice.length < SLICE) continue;
      this.write(response, linesOf(slice));
      slice = [];
      await new Promise((resolve) =>
        response.writableNeedDrain ? response.once('drain', resolve) : setImmediate(resolve),
      );
      if (!isMine()) return;
    }
    this.write(response, [...linesOf(slice), { type: 'end' }, this.beat()]);
  }

  private beat(): FeedLine {
    const ageMs = this.feed.ageMs();
    return { type: 'beat', ageMs: Number.isFinite(ageMs) ? Math.round(ageMs) : null };
  }

  private write(response: ServerResponse, lines: readonly FeedLine[]): void {
    if (lines.length === 0 || response.destroyed) return;
    response.write(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
    if (response.writableLength > MAX_BUFFERED_BYTES) response.destroy();
  }
}

function linesOf(entries: readonly DenylistEntry[]): FeedLine[] {
  const nowMs = Date.now();
  return entries.flatMap((entry) => feedEntry(entry, nowMs) ?? []);
}
