import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { requireStillAdmitted } from '@outrider/platform/admission';
import { Metrics } from '@outrider/platform/service';
import type { FastifyRequest } from 'fastify';
import type { StreamSink } from '../delivery/streams.service.js';
import { type Change, type ChangeQuery, changeDocument, eventIdOf, isFor, type Position } from './change.js';
import { ChangeFeed } from './change-feed.service.js';
import { Changes } from './changes.repository.js';

const PAGE = 500;
const MOST_STREAMS = 200;
/** How long a right that ended may still see a change: it is looked at before each event, too. */
const RECHECK_MS = 1000;
const KEEP_ALIVE_MS = 15_000;

/** Streams of changes for operators: what happened behind the last event that they had, and then what happens. */
@Injectable()
export class ChangeStreams {
  private readonly open;

  constructor(
    private readonly feed: ChangeFeed,
    private readonly changes: Changes,
    metrics: Metrics,
  ) {
    this.open = metrics.gauge('outrider_command_change_streams', 'Operators’ streams of changes that are open.');
    Object.assign(this.open, { collect: () => this.open.set(this.feed.watchers) });
  }

  /** @throws DomainError `service.unavailable` where too many are open */
  requireRoom(): void {
    if (this.feed.watchers >= MOST_STREAMS)
      throw new DomainError('service.unavailable', { detail: 'too many streams are open', retryAfterSeconds: 5 });
  }

  /** Until the operator hangs up, its right ends (throws what admission says), or this instance stops. `behind`: the last event that it had. */
  async run(
    request: FastifyRequest,
    sink: StreamSink,
    query: ChangeQuery,
    behind: Position | undefined,
  ): Promise<void> {
    const waiting: Change[] = [];
    let wake: () => void = () => undefined;
    const hear = (page: readonly Change[]) => {
      const mine = page.filter((change) => isFor(change, query));
      if (mine.length === 0) return;
      waiting.push(...mine);
      wake();
    };
    const { from, leave } = await this.feed.watch(hear, () => wake());
    try {
      sink.keepAlive();
      if (behind) await this.catchUp(request, sink, query, behind, from);
      let quietSince = performance.now();
      while (!sink.signal.aborted && !this.feed.stopping) {
        requireStillAdmitted(request);
        const ready = waiting.splice(0);
        for (const change of ready) show(sink, change);
        if (ready.length > 0) quietSince = performance.now();
        else if (performance.now() - quietSince > KEEP_ALIVE_MS) {
          sink.keepAlive();
          quietSince = performance.now();
        }
        if (waiting.length === 0) await pause(sink.signal, (resolve) => (wake = resolve));
      }
    } finally {
      leave();
    }
  }

  /** What lies between the operator's last event and where the feed takes over. */
  private async catchUp(
    request: FastifyRequest,
    sink: StreamSink,
    query: ChangeQuery,
    behind: Position,
    until: Position,
  ): Promise<void> {
    let position = behind;
    while (!sink.signal.aborted) {
      const page = await this.changes.after(position, PAGE, query);
      requireStillAdmitted(request);
      for (const change of page) {
        if (isBehind(change, until)) return;
        show(sink, change);
        position = change;
      }
      if (page.length < PAGE) return;
    }
  }
}

function show(sink: StreamSink, change: Change): void {
  sink.event('change', changeDocument(change), eventIdOf(change));
}

function isBehind(change: Position, until: Position): boolean {
  const [a, b] = [BigInt(change.txid), BigInt(until.txid)];
  return a > b || (a === b && BigInt(change.id) > BigInt(until.id));
}

function pause(signal: AbortSignal, onWake: (resolve: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, RECHECK_MS);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
    onWake(done);
  });
}
