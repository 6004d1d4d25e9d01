import { setTimeout as sleep } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { type StreamedAnswer, sse } from '@outrider/platform/http';
import { type DecisionFilter, decisionIn, type Form } from './decision-query.js';
import { DecisionLog } from './decisions.repository.js';

const PAGE = 200;
const LOOK_MS = 500;
const HEARTBEAT_MS = 15_000;
const MAX_STREAMS = 32;
const RETRY_SECONDS = 5;

export interface DecisionStreamStart {
  readonly filter: DecisionFilter;
  readonly form: Form;
  /** The id behind which to begin; undefined: with what comes next. */
  readonly after: string | undefined;
}

/** The log as it grows, to those who read along: each decision once, in order, from PostgreSQL. */
@Injectable()
export class DecisionStreams implements BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  private open = 0;

  constructor(private readonly log: DecisionLog) {}

  beforeApplicationShutdown(): void {
    this.stopping.abort();
  }

  /**
   * Writes to what `open` gives until its reader is gone or this instance stops.
   * @param admitted judged before each look; what it throws ends the stream
   * @throws DomainError `service.overloaded` where too many read along
   */
  async follow(start: DecisionStreamStart, admitted: () => void, open: () => StreamedAnswer): Promise<void> {
    if (this.open >= MAX_STREAMS) throw new DomainError('service.overloaded', { retryAfterSeconds: RETRY_SECONDS });
    this.open += 1;
    try {
      const after = start.after ?? (await this.log.lastId());
      await this.goOn({ ...start, after }, admitted, open());
    } finally {
      this.open -= 1;
    }
  }

  private async goOn(
    { filter, form, after }: DecisionStreamStart & { readonly after: string },
    admitted: () => void,
    answer: StreamedAnswer,
  ): Promise<void> {
    let last = after;
    let spokenAt = performance.now();
    const ended = AbortSignal.any([answer.signal, this.stopping.signal]);
    while (!ended.aborted) {
      admitted();
      const page = await this.log.since(filter, last, PAGE);
      const events = page.map((decision) => sse('decision', decisionIn(form, decision), decision.id));
      last = page.at(-1)?.id ?? last;
      if (events.length > 0 || performance.now() - spokenAt > HEARTBEAT_MS) {
        if (!(await answer.write(events.join('') || ': here\n\n'))) return;
        spokenAt = performance.now();
      }
      if (page.length < PAGE) await sleep(LOOK_MS, undefined, { signal: ended }).catch(() => undefined);
    }
  }
}
