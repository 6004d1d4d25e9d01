/** Decides, when a writer takes over, whether bucket and database tell one story, and what to do where they do not. */
import { entryKey } from '@outrider/admission';
import type { DenylistEntry, DenylistHeartbeat } from '@outrider/contracts';
import type { Claim, EntryName } from './claim.js';

export interface BucketContent {
  readonly entries: readonly DenylistEntry[];
  readonly heartbeat: DenylistHeartbeat | undefined;
}

export interface DatabaseContent {
  readonly entries: readonly DenylistEntry[];
  readonly generation: number;
  readonly sequence: number;
}

export type Merge =
  /** The bucket is where a writer left it: go on after `written`. */
  | { readonly kind: 'continue'; readonly written: number }
  /** The bucket lost something: write all of it again, as a new generation. */
  | { readonly kind: 'refill'; readonly generation: number }
  /**
   * The database is older than the bucket (a restored backup): take what it lacks, withdraw what was withdrawn (requests alone:
   * a revocation never is), number everything above `floor`, write all of it, as a new generation.
   */
  | {
      readonly kind: 'restore';
      readonly generation: number;
      readonly floor: number;
      readonly adopt: readonly Claim[];
      readonly withdraw: readonly EntryName[];
    };

/** Generations are never used twice, even where both stores went back in time: the clock is their floor. */
export function nextGeneration(known: readonly number[], now: Date): number {
  return Math.max(Math.floor(now.getTime() / 1000), ...known.map((generation) => generation + 1));
}

export function merge(bucket: BucketContent, database: DatabaseContent, now: Date): Merge {
  const generation = nextGeneration([database.generation, bucket.heartbeat?.generation ?? 0], now);
  const floor = Math.max(bucket.heartbeat?.sequence ?? 0, ...sequences(bucket.entries));
  if (floor > database.sequence || (bucket.heartbeat?.generation ?? 0) > database.generation) {
    return { kind: 'restore', generation, floor, ...missing(bucket, database, now) };
  }
  if (!bucket.heartbeat || bucket.heartbeat.generation !== database.generation) return { kind: 'refill', generation };
  const inBucket = new Map(bucket.entries.map((entry) => [entryKey(entry.kind, entry.value), entry.sequence]));
  const written = bucket.heartbeat.sequence;
  const complete = database.entries.every(({ kind, value, sequence, removed }) => {
    // A tombstone's key is taken away in the end: that is no loss.
    const there = inBucket.get(entryKey(kind, value)) ?? (removed ? sequence : 0);
    return sequence > written || there >= sequence;
  });
  return complete ? { kind: 'continue', written } : { kind: 'refill', generation };
}

/** What the bucket says that the database does not know: the later word counts. */
function missing(
  bucket: BucketContent,
  database: DatabaseContent,
  now: Date,
): { adopt: Claim[]; withdraw: EntryName[] } {
  const known = new Map(database.entries.map((entry) => [entryKey(entry.kind, entry.value), entry.sequence]));
  const news = bucket.entries.filter((entry) => entry.sequence > (known.get(entryKey(entry.kind, entry.value)) ?? 0));
  const adopt = news
    .filter((entry) => !entry.removed && (entry.until === undefined || new Date(entry.until) > now))
    .map(({ kind, value, mode, reason, until }) => ({
      kind,
      value,
      mode,
      reason,
      ...(until === undefined ? {} : { until: new Date(until) }),
    }));
  const withdraw = news.filter((entry) => entry.removed).map(({ kind, value }) => ({ kind, value }));
  return { adopt, withdraw };
}

/** For `Math.max`, in parts: a spread of a million arguments is too many. */
function sequences(entries: readonly DenylistEntry[]): number[] {
  return [entries.reduce((highest, { sequence }) => Math.max(highest, sequence), 0)];
}
