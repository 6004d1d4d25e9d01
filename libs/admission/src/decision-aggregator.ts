/** Decides which decisions go out by themselves and which are counted together: the first deny of a (code, source) at once. */

/** One decision, or `count` alike ones since `sinceMs`. Times: milliseconds since the epoch. */
export interface DecisionFacts {
  readonly decision: 'allow' | 'deny';
  readonly code: string;
  readonly listener: 'vehicle' | 'operator' | 'http';
  readonly action: string;
  readonly deviceId?: string | undefined;
  readonly thumbprint?: string | undefined;
  readonly subject?: string | undefined;
  readonly remoteAddress?: string | undefined;
  readonly detail?: string | undefined;
  readonly traceId?: string | undefined;
  /** Of a token that was verified, whatever became of the request. */
  readonly tokenId?: string | undefined;
  /** Which policies decided it, where policies did. */
  readonly policies?: readonly string[] | undefined;
  /** What deciding took. */
  readonly latencyMs?: number | undefined;
}
export interface AggregatedDecision extends DecisionFacts {
  readonly count: number;
  readonly sinceMs: number;
  readonly atMs: number;
}

/** `intervalMs`: how long alike decisions are counted together. `maxSources`: sources told apart; the rest share one a code. */
export interface AggregatorLimits {
  readonly intervalMs: number;
  readonly maxSources: number;
}

interface Bucket {
  /** The last of its kind, which stands for all, or for itself alone where they are not of one device. */
  facts: DecisionFacts;
  ofSeveral: boolean;
  count: number;
  sinceMs: number;
  atMs: number;
}

/**
 * A state machine without a clock. Denies are counted by (code, source), the source being the device, else the subject, else
 * the address; allows by (listener, action), on operator listeners also by subject. Memory is bounded by `maxSources`.
 */
export class DecisionAggregator {
  readonly #buckets = new Map<string, Bucket>();

  constructor(private readonly limits: AggregatorLimits) {}

  /** What to publish now: the first deny of a (code, source), else nothing. */
  observe(facts: DecisionFacts, nowMs: number): AggregatedDecision | undefined {
    const { key, counted } = this.#place(facts);
    const bucket = this.#buckets.get(key);
    if (bucket) {
      bucket.ofSeveral ||= bucket.count > 0 && bucket.facts.deviceId !== counted.deviceId;
      bucket.facts = counted;
      bucket.count += 1;
      bucket.atMs = nowMs;
      return undefined;
    }
    const first = facts.decision === 'deny';
    this.#buckets.set(key, { facts: counted, ofSeveral: false, count: first ? 0 : 1, sinceMs: nowMs, atMs: nowMs });
    return first ? { ...facts, count: 1, sinceMs: nowMs, atMs: nowMs } : undefined;
  }

  /** The counts whose interval is over. A (code, source) that was silent for a whole interval is forgotten: its next deny goes out at once. */
  flush(nowMs: number): AggregatedDecision[] {
    return this.#take((bucket) => nowMs - bucket.sinceMs >= this.limits.intervalMs, nowMs);
  }

  /** All counts, interval over or not: at shutdown. */
  drain(nowMs: number): AggregatedDecision[] {
    return this.#take(() => true, nowMs);
  }

  get size(): number {
    return this.#buckets.size;
  }

  #take(due: (bucket: Bucket) => boolean, nowMs: number): AggregatedDecision[] {
    const taken: AggregatedDecision[] = [];
    for (const [key, bucket] of this.#buckets) {
      if (!due(bucket)) continue;
      if (bucket.count === 0) {
        this.#buckets.delete(key);
        continue;
      }
      taken.push(...told(bucket));
      if (bucket.facts.decision === 'allow') this.#buckets.delete(key);
      else this.#buckets.set(key, { ...bucket, ofSeveral: false, count: 0, sinceMs: nowMs, atMs: nowMs });
    }
    return taken;
  }

  #place(facts: DecisionFacts): { key: string; counted: DecisionFacts } {
    const key = keyOf(facts);
    if (this.#buckets.has(key) || this.#buckets.size < this.limits.maxSources) return { key, counted: facts };
    const { decision, code, listener } = facts;
    const counted = { decision, code, listener, action: 'various', detail: 'too many sources to tell apart' };
    return { key: JSON.stringify(['overflow', decision, code, listener]), counted };
  }
}

/** One that stands for all; of several devices the last one whole, as a sample, and beside it how many others there were. */
function told({ facts, ofSeveral, count, sinceMs, atMs }: Bucket): AggregatedDecision[] {
  if (!ofSeveral) return [{ ...facts, count, sinceMs, atMs }];
  return [
    { ...facts, count: 1, sinceMs: atMs, atMs },
    { ...sharedBySeveral(facts), count: count - 1, sinceMs, atMs },
  ];
}

/** What is true of all that are counted together, when they are not of one device. */
function sharedBySeveral({ decision, code, listener, action, subject }: DecisionFacts): DecisionFacts {
  return { decision, code, listener, action, ...(subject === undefined ? {} : { subject }) };
}

function keyOf({ decision, code, listener, action, deviceId, subject, remoteAddress }: DecisionFacts): string {
  if (decision === 'deny') return JSON.stringify([code, deviceId ?? subject ?? remoteAddress ?? '']);
  // Of our own words alone, but for the subject, which comes last; most of what there is to count.
  return `allow ${listener} ${listener === 'operator' ? `${action}\0${subject ?? ''}` : action}`;
}
