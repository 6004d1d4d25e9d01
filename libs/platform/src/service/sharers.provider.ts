import { currentTrace, inSharedSpan, type Trace } from './trace.provider.js';

/** For work that many requests share, such as a commit: remembers in which trace each of them came, and gives the work a span in those. */
export class Sharers<T extends object> {
  private readonly traces = new WeakMap<T, Trace>();

  constructor(private readonly name: string) {}

  /** Where the request's own context is still known. */
  note(item: T): T {
    const trace = currentTrace();
    if (trace?.span) this.traces.set(item, trace);
    return item;
  }

  run<R>(items: readonly T[], work: () => Promise<R>): Promise<R> {
    return inSharedSpan(
      this.name,
      items.map((item) => this.traces.get(item)),
      work,
    );
  }
}
