/** Decides, when a writer takes over, whether bucket and database tell one story, and what to do where they do not. */
import type { Denylist } from '@outrider/admission';
import type { DenylistHeartbeat } from '@outrider/contracts';
import type { Claim, EntryName } from './claim.js';

/** `list`: everything that lies there, tombstones too. */
export interface BucketContent {
  readonly list: Denylist;
  readonly heartbeat: DenylistHeartbeat | undefined;
}

export interface DatabaseContent {
  readonly list: Denylist;
  readonly generation: number;
  readonly sequence: number;
}

export type Merge =
  /** The bucket is where a writer left it: go on after `written`. */
  | { readonly kind: 'continue'; readonly written: number }
  /** The bucket lost something: write all of it again, as a new generation. */
  | { readonly kind: 'refill'; readonly generation: number }
  /**
   * The database is older than the bucket (a restored backup), or has lost something: take what it lacks, withdraw what was withdrawn
   * (requests alone: a revocation never is), take away from the bucket what has ended and the database does not know, number everything
   * above `floor`, write all of it, as a new generation.
   */
  | {
      readonly kind: 'restore';
      readonly generation: number;
      readonly floor: number;
      readonly adopt: readonly Claim[];
      readonly withdraw: readonly EntryName[];
      readonly drop: readonly EntryName[];
    };

/** Generations are never used twice, even where both stores went back in time: the clock is their floor. */
export function nextGeneration(known: readonly number[], now: Date): number {
  return Math.max(Math.floor(now.getTime() / 1000), ...known.map((generation) => generation + 1));
}

export function merge(bucket: BucketContent, database: DatabaseContent, now: Date): Merge {
  const generation = nextGeneration([database.generation, bucket.heartbeat?.generation ?? 0], now);
  const floor = Math.max(bucket.heartbeat?.sequence ?? 0, bucket.list.sequence);
  const isOlder = floor > database.sequence || (bucket.heartbeat?.generation ?? 0) > database.generation;
  if (isOlder || holdsUnknown(bucket.list, database.list)) {
    return { kind: 'restore', generation, floor, ...missing(bucket, database, now) };
  }
  if (!bucket.heartbeat || bucket.heartbeat.generation !== database.generation) return { kind: 'refill', generation };
  const written = bucket.heartbeat.sequence;
  for (const { kind, value, sequence, removed } of database.list.entries()) {
    // A tombstone's key is taken away in the end: that is no loss.
    const there = bucket.list.sequenceOf(kind, value) || (removed ? sequence : 0);
    if (sequence <= written && there < sequence) return { kind: 'refill', generation };
  }
  return { kind: 'continue', written };
}

/** A live entry that the database has no row of: every reader counts it, so it must be taken over or taken away. */
function holdsUnknown(bucket: Denylist, database: Denylist): boolean {
  for (const { kind, value, removed } of bucket.entries()) {
    if (!removed && database.sequenceOf(kind, value) === 0) return true;
  }
  return false;
}

/** What the bucket says that the database does not know: the later word counts. */
function missing(
  bucket: BucketContent,
  database: DatabaseContent,
  now: Date,
): { adopt: Claim[]; withdraw: EntryName[]; drop: EntryName[] } {
  const adopt: Claim[] = [];
  const withdraw: EntryName[] = [];
  const drop: EntryName[] = [];
  for (const { kind, value, mode, reason, until, sequence, removed } of bucket.list.entries()) {
    if (sequence <= database.list.sequenceOf(kind, value)) continue;
    const ends = until === undefined ? undefined : new Date(until);
    if (removed) withdraw.push({ kind, value });
    else if (ends === undefined || ends > now)
      adopt.push({ kind, value, mode, reason, ...(ends ? { until: ends } : {}) });
    else if (database.list.sequenceOf(kind, value) === 0) drop.push({ kind, value });
  }
  return { adopt, withdraw, drop };
}
