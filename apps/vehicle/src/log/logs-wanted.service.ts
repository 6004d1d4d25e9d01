/** What an operator wants of this vehicle's records, and what became of it: open until the platform orders no more of it. */
import { Interrupted, type LogsDelivered } from '../command/handlers.js';
import type { BackfillResult, LogStore } from './log.store.js';

/** The operator's command waits 600 s for its outcome. */
const GIVE_UP_MS = 540_000;

export class LogsWanted {
  private readonly counts = { accepted: 0, duplicate: 0, replayed: 0 };
  private readonly ended = Promise.withResolvers<LogsDelivered | undefined>();
  over = false;

  constructor(
    readonly sinceSeconds: number,
    private readonly log: LogStore,
  ) {}

  /** Undefined where it took too long. Rejects with Interrupted when the vehicle ends: it is taken up again at its next start. */
  async settled(signal: AbortSignal): Promise<LogsDelivered | undefined> {
    const stop = () => this.ended.reject(new Interrupted());
    const timer = setTimeout(() => this.ended.resolve(undefined), GIVE_UP_MS);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      return await this.ended.promise;
    } finally {
      this.over = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  told(results: readonly BackfillResult[]): void {
    for (const { from, to, verdict } of results)
      if (verdict === 'accepted' || verdict === 'duplicate' || verdict === 'replayed')
        this.counts[verdict] += to - from + 1;
  }

  /** Nothing of it is on order any more. */
  done(): void {
    const { accepted: delivered, duplicate: known, replayed: refused } = this.counts;
    this.ended.resolve({ records: this.log.countSince(this.sinceSeconds), delivered, known, refused });
  }
}
