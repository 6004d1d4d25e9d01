/** Decides, when a writer takes over, whether bucket and database tell one story, and what to do where they do not. */
import type { Denylist } from '@outrider/admission';
import type { DenylistEntry, DenylistHeartbeat } from '@outrider/contracts';
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

/**
 * A live entry that the database has no row of: every reader counts it, so it must be taken over or taken away. Or a later word on a
 * name than the database's, which is always written first.
 */
function holdsUnknown(bucket: Denylist, database: Denylist): boolean {
  for (const { kind, value, sequence, removed } of bucket.entries()) {
    const known = database.sequenceOf(kind, value);
    if (known === 0 ? !removed : sequence > known) return true;
  }
  return false;
}

/**
 * What the bucket says that the database does not know: the later word counts; and what denies harder, longer or for another reason than
 * the database's, whatever their numbers: those given since a backup was restored tell nothing of what was lost with it.
 */
function missing(
  bucket: BucketContent,
  database: DatabaseContent,
  now: Date,
): { adopt: Claim[]; withdraw: EntryName[]; drop: EntryName[] } {
  const adopt: Claim[] = [];
  const withdraw: EntryName[] = [];
  const drop: EntryName[] = [];
  for (const { kind, value, mode, reason, until, sequence, removed } of bucket.list.entries()) {
    const isLater = sequence > database.list.sequenceOf(kind, value);
    const ends = until === undefined ? undefined : new Date(until);
    if (removed) {
      if (isLater) withdraw.push({ kind, value });
      continue;
    }
    const claim = { kind, value, mode, reason, ...(ends ? { until: ends } : {}) };
    if (ends === undefined || ends > now) {
      if (isLater || saysMore(claim, database.list.get(kind, value), now)) adopt.push(claim);
    } else if (database.list.sequenceOf(kind, value) === 0) drop.push({ kind, value });
  }
  return { adopt, withdraw, drop };
}

function saysMore(claim: Claim, known: DenylistEntry | undefined, now: Date): boolean {
  const knownEnd = known?.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(known.until);
  if (!known || knownEnd <= now.getTime()) return true;
  if (claim.mode !== known.mode) return claim.mode === 'deny';
  return claim.reason !== known.reason || (claim.until?.getTime() ?? Number.POSITIVE_INFINITY) > knownEnd;
}
