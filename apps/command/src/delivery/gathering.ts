/** Gathers calls that arrive while a round is under way and runs them together, so that many share one commit. */

export interface GatheringLimits {
  /** Calls of one round. */
  readonly most: number;
  /** Rounds under way at once. */
  readonly rounds: number;
}

interface Pending<I, O> {
  readonly item: I;
  readonly resolve: (result: O) => void;
  readonly reject: (error: unknown) => void;
}

/** What a round says of one call: its result, or what it throws. */
export type Settled<O> = { readonly ok: O } | { readonly error: unknown };

export class Gathering<I, O> {
  private waiting: Pending<I, O>[] = [];
  private running = 0;

  /** `round`: one result for each item, in order. What it throws fails a lone call; of several, each is tried alone. */
  constructor(
    private readonly round: (items: readonly I[]) => Promise<readonly Settled<O>[]>,
    private readonly limits: GatheringLimits,
  ) {}

  add(item: I): Promise<O> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      this.pump();
    });
  }

  private pump(): void {
    while (this.running < this.limits.rounds && this.waiting.length > 0) {
      const batch = this.waiting.splice(0, this.limits.most);
      this.running += 1;
      void this.run(batch).finally(() => {
        this.running -= 1;
        this.pump();
      });
    }
  }

  private async run(batch: readonly Pending<I, O>[]): Promise<void> {
    let settled: readonly Settled<O>[];
    try {
      settled = await this.round(batch.map(({ item }) => item));
    } catch (error) {
      if (batch.length === 1) batch[0]?.reject(error);
      else for (const each of batch) await this.run([each]);
      return;
    }
    for (const [index, { resolve, reject }] of batch.entries()) {
      const result = settled[index];
      if (result && 'ok' in result) resolve(result.ok);
      else reject(result ? result.error : new Error('a round gave no result for one of its calls'));
    }
  }
}
