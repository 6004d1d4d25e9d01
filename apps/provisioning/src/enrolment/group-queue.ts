/** Group commit: what arrives while groups are under way forms the next one. Bounded; first come, first served. */
import { DomainError } from '@outrider/errors';

export interface GroupLimits {
  /** Items of one group. */
  readonly groupSize: number;
  /** Groups under way at once. */
  readonly inFlight: number;
  /** Items that wait, beside those under way. */
  readonly capacity: number;
  /**
   * Awaited before a group is taken, for those who come together to be in it together; left out: it is taken at once.
   * `afterCrowd`: the group before it held several, so more are likely on their way.
   */
  readonly gather?: (afterCrowd: boolean) => Promise<void>;
}

/** What came of one item: its neighbours' fate is their own. */
export type Settled<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: unknown };

/** `work` settles each item of a group, in order; where it throws, nothing of the group was done. */
export type GroupWork<T, R> = (group: readonly T[]) => Promise<readonly Settled<R>[]>;

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
}

const RETRY_AFTER_SECONDS = 1;

export class GroupQueue<T, R> {
  private readonly waiting: Waiting<T, R>[] = [];
  private readonly underWay = new Set<Promise<void>>();
  private crowded = false;
  /** While a group gathers: ends that at once. */
  private full: (() => void) | undefined;

  constructor(
    private readonly work: GroupWork<T, R>,
    private readonly limits: GroupLimits,
  ) {}

  /** Rejects with what the item's part of the group came to; `service.overloaded` when too many wait. */
  submit(item: T): Promise<R> {
    if (this.waiting.length >= this.limits.capacity) {
      return Promise.reject(new DomainError('service.overloaded', { retryAfterSeconds: RETRY_AFTER_SECONDS }));
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (this.waiting.length >= this.limits.groupSize) this.full?.();
      this.pump();
    });
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  /** Resolves when nothing is under way and nothing waits. */
  async idle(): Promise<void> {
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  private pump(): void {
    const { inFlight, groupSize, gather } = this.limits;
    while (!this.full && this.underWay.size < inFlight && this.waiting.length > 0) {
      if (gather && this.waiting.length < groupSize) this.start(this.gather(gather));
      else this.start(this.run(this.take()));
    }
  }

  private start(work: Promise<void>): void {
    const run = work.finally(() => {
      this.underWay.delete(run);
      this.pump();
    });
    this.underWay.add(run);
  }

  private async gather(gather: (afterCrowd: boolean) => Promise<void>): Promise<void> {
    const full = new Promise<void>((resolve) => {
      this.full = resolve;
    });
    await Promise.race([gather(this.crowded), full]);
    this.full = undefined;
    const group = this.take();
    this.pump();
    await this.run(group);
  }

  private take(): Waiting<T, R>[] {
    const group = this.waiting.splice(0, this.limits.groupSize);
    this.crowded = group.length > 1;
    return group;
  }

  private async run(group: readonly Waiting<T, R>[]): Promise<void> {
    const settled = await this.settle(group.map(({ item }) => item));
    group.forEach(({ resolve, reject }, at) => {
      const one = settled[at];
      if (one?.ok) resolve(one.value);
      else reject(one ? one.error : new Error('an item was not settled'));
    });
  }

  /** One item that PostgreSQL chokes on must not fail its neighbours: then each is tried alone. Who is away is away for all. */
  private async settle(items: readonly T[]): Promise<readonly Settled<R>[]> {
    try {
      return await this.work(items);
    } catch (error) {
      if (items.length === 1 || error instanceof DomainError) return items.map(() => ({ ok: false, error }));
    }
    const settled: Settled<R>[] = [];
    for (const item of items) settled.push(...(await this.settle([item])));
    return settled;
  }
}
