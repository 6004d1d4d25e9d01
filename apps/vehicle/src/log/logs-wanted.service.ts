/** What an operator wants of this vehicle's records, and what became of it: open until the platform orders no more of it. */
import { Interrupted, type LogsDelivered } from '../command/handlers.js';
import type { BackfillResult, LogStore, Span } from './log.store.js';

/** The commands behind it wait for its answer, and one of them may be to immobilise. */
export const ANSWER_WITHIN_MS = 20_000;

export class LogsWanted {
  private readonly counts = { accepted: 0, duplicate: 0, replayed: 0 };
  private readonly ended = Promise.withResolvers<LogsDelivered | undefined>();
  /** Nothing of it is on order any more; its answer may have gone out long before. */
  over = false;

  constructor(
    readonly span: Span,
    private readonly log: LogStore,
  ) {}

  /** Undefined after `withinMs`: the delivery goes on. Rejects with Interrupted when the vehicle ends: it is taken up again at its next start. */
  async settled(signal: AbortSignal, withinMs: number): Promise<LogsDelivered | undefined> {
    const stop = () => this.ended.reject(new Interrupted());
    const timer = setTimeout(() => this.ended.resolve(undefined), withinMs);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      return await this.ended.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  told(results: readonly BackfillResult[]): void {
    for (const { from, to, verdict } of results)
      if (verdict === 'accepted' || verdict === 'duplicate' || verdict === 'replayed')
        this.counts[verdict] += to - from + 1;
  }

  done(): void {
    this.over = true;
    const { accepted: delivered, duplicate: known, replayed: refused } = this.counts;
    const [records, givenUp] = [this.log.count(this.span), this.log.countGivenUp(this.span)];
    this.ended.resolve({ records, delivered, known, refused, givenUp });
  }
}
