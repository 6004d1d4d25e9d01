import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { type StreamedAnswer, sse } from '@outrider/platform/http';
import { encodeCursor, type Position } from '../reading/cursor.js';
import { startOf } from '../reading/range.js';
import { ReadingRepository } from '../reading/reading.repository.js';
import { positionOf, toItem, type View } from '../reading/stored-message.js';
import { LiveMessages } from './live-messages.client.js';

const PAGE = 100;
/** Looks at PostgreSQL at most this often for one reader, and at least that often: NATS may be away. */
const LOOK_MIN_MS = 200;
const LOOK_MAX_MS = 5_000;
/** A commit shows itself some time after its event: no transaction that began before it may be open. */
const SETTLE_MS = 60;
const LOOKS_A_RING = 5;
const HEARTBEAT_MS = 15_000;

export interface TailStart {
  readonly deviceId: DeviceId;
  readonly after: Position | undefined;
  /** So many of the last ones first. */
  readonly last: number;
  readonly view: View;
}

/** A device's messages as they are committed, each once, in order of receipt. */
@Injectable()
export class TailService {
  constructor(
    private readonly messages: ReadingRepository,
    private readonly live: LiveMessages,
  ) {}

  /**
   * What `open` gives is written to until its reader is gone, or this instance stops.
   * @param admitted judged before each part that is handed out; what it throws ends the stream
   * @throws DomainError `service.unavailable` before `open`, for a PostgreSQL that is away
   */
  async follow(start: TailStart, admitted: () => void, open: () => StreamedAnswer): Promise<void> {
    const bell = new Bell();
    const unwatch = this.live.watch(start.deviceId, () => bell.ring());
    try {
      const first = await this.first(start);
      const answer = open();
      await this.write(answer, first.items, start.view);
      await this.goOn(start, first.position, admitted, answer, bell);
    } finally {
      unwatch();
    }
  }

  private async first({ deviceId, after, last }: TailStart) {
    if (after) return { items: [], position: after };
    const items = await this.messages.latest(deviceId, { from: undefined, to: undefined }, Math.max(1, last));
    const end = items.at(-1);
    return { items: last === 0 ? [] : items, position: end ? positionOf(end) : startOf(undefined) };
  }

  private async goOn(
    { deviceId, view }: TailStart,
    from: Position,
    admitted: () => void,
    answer: StreamedAnswer,
    bell: Bell,
  ): Promise<void> {
    let position = from;
    let spokenAt = performance.now();
    const ended = AbortSignal.any([answer.signal, this.live.stopping.signal]);
    while (!ended.aborted) {
      admitted();
      const page = await this.messages.page(deviceId, position, undefined, PAGE);
      const end = page.at(-1);
      if (end) {
        position = positionOf(end);
        if (!(await this.write(answer, page, view))) return;
      } else if (performance.now() - spokenAt > HEARTBEAT_MS && !(await answer.write(': here\n\n'))) return;
      if (end || performance.now() - spokenAt > HEARTBEAT_MS) spokenAt = performance.now();
      if (page.length < PAGE) await bell.wait(ended);
    }
  }

  private write(answer: StreamedAnswer, page: Awaited<ReturnType<ReadingRepository['page']>>, view: View) {
    const text = page.map((message) => sse('record', toItem(message, view), encodeCursor(positionOf(message))));
    return text.length === 0 ? Promise.resolve(!answer.signal.aborted) : answer.write(text.join(''));
  }
}

/** Says when to look again: soon, while something is said to have come, else at the next ring or after the longest time. */
class Bell {
  private looks = 0;
  private wake: (() => void) | undefined;

  ring(): void {
    this.looks = LOOKS_A_RING;
    this.wake?.();
  }

  async wait(signal: AbortSignal): Promise<void> {
    await pause(LOOK_MIN_MS, signal);
    if (this.looks-- > 0) return;
    const rung = new AbortController();
    this.wake = () => rung.abort();
    await pause(LOOK_MAX_MS, AbortSignal.any([signal, rung.signal]));
    this.wake = undefined;
    if (rung.signal.aborted) await pause(SETTLE_MS, signal);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
