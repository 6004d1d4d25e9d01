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
/** Of one account: nobody keeps the others from reading. */
const MAX_STREAMS_EACH = 8;
const RETRY_SECONDS = 5;

export interface DecisionStreamStart {
  /** The account that reads. */
  readonly reader: string;
  readonly filter: DecisionFilter;
  readonly form: Form;
  /** The id behind which to begin; undefined: with what comes next. */
  readonly after: string | undefined;
}

/** The log as it grows, to those who read along: each decision once, in order, from PostgreSQL. */
@Injectable()
export class DecisionStreams implements BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  /** Of each that is open, who reads it. */
  private readonly open: string[] = [];

  constructor(private readonly log: DecisionLog) {}

  beforeApplicationShutdown(): void {
    this.stopping.abort();
  }

  /**
   * Writes to what `open` gives until its reader is gone or this instance stops.
   * @param admitted judged before each look; what it throws ends the stream
   * @throws DomainError `service.overloaded` where too many read along, or this one too often
   */
  async follow(start: DecisionStreamStart, admitted: () => void, open: () => StreamedAnswer): Promise<void> {
    const { reader } = start;
    const own = this.open.filter((other) => other === reader).length;
    if (this.open.length >= MAX_STREAMS || own >= MAX_STREAMS_EACH)
      throw new DomainError('service.overloaded', { retryAfterSeconds: RETRY_SECONDS });
    this.open.push(reader);
    try {
      const after = start.after ?? (await this.log.lastId());
      await this.goOn({ ...start, after }, admitted, open());
    } finally {
      this.open.splice(this.open.indexOf(reader), 1);
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
