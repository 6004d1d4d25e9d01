/** Decides what the denylist feed makes of each record: when a list is proven, swapped in, or to be read again. */
import { compareToHeartbeat, Denylist, type DenylistEntry, type FreshnessLimits } from '@outrider/admission';
import type { DenylistHeartbeat } from '@outrider/contracts';

/** Heartbeats in a row that differ for a reason that passes; more of them and the difference is real. */
const MAX_TOLERATED = 10;

/** `same`: proven. `waiting`: not to be judged yet. `swapped`: a list read anew took over. `resync`: read everything again. */
export type HeartbeatOutcome = 'same' | 'waiting' | 'swapped' | 'resync';

/** Everything up to `sequence` is enforced, and of what is urgent everything up to `urgent`. */
export interface Covered {
  readonly sequence: number;
  readonly urgent: number;
}

/** The list in force where a heartbeat said exactly that set: what lies in the bucket, up to `sequence`. */
export interface Proven {
  readonly list: Denylist;
  readonly generation: number;
  readonly sequence: number;
}

/**
 * The list in force, and while the bucket is read again a second one beside it. What arrives goes into both, so that nothing
 * waits for the swap and nothing is lifted before it. Times are milliseconds of a monotonic clock.
 */
export class FeedState {
  #live = new Denylist();
  #staging: { readonly list: Denylist; complete: boolean; heartbeat?: DenylistHeartbeat } | undefined;
  #generation: number | undefined;
  #covered: Covered | undefined;
  #isExact = false;
  #diverged = false;
  #gapped = false;
  #tolerated = 0;
  #provenAtMs = Number.NEGATIVE_INFINITY;

  /** What is enforced. */
  get live(): Denylist {
    return this.#live;
  }

  /** Undefined until a heartbeat has told, and while the bucket is being read. */
  get covered(): Covered | undefined {
    return this.#staging ? undefined : this.#covered;
  }

  get generation(): number | undefined {
    return this.#generation;
  }

  /** Undefined where the list in force is not known to be exactly what lies in the bucket. */
  get proven(): Proven | undefined {
    if (!this.#isExact || this.#staging || this.#generation === undefined || !this.#covered) return undefined;
    return { list: this.#live, generation: this.#generation, sequence: this.#covered.sequence };
  }

  /** A list known to differ from its writer's is at once too old for control actions. */
  ageMs(nowMs: number, { controlStaleMs }: Pick<FreshnessLimits, 'controlStaleMs'>): number {
    const age = nowMs - this.#provenAtMs;
    return this.#diverged ? Math.max(age, controlStaleMs + 1) : age;
  }

  /** The bucket is about to be read from its beginning. The very first list goes into force as it comes. */
  beginResync(): void {
    const isFirst = this.#generation === undefined && this.#live.count === 0 && this.#live.sequence === 0;
    this.#staging = { list: isFirst ? this.#live : new Denylist(), complete: false };
    this.#tolerated = 0;
    this.#gapped = false;
  }

  /** True where the list in force changed. */
  entry(entry: DenylistEntry): boolean {
    this.#isExact = false;
    if (this.#staging && this.#staging.list !== this.#live) this.#staging.list.apply(entry);
    return this.#live.apply(entry).changed;
  }

  /** Of a snapshot. Throws RangeError for what is none. */
  chunk(bytes: Uint8Array): void {
    this.#isExact = false;
    if (this.#staging && this.#staging.list !== this.#live) this.#staging.list.applyPacked(bytes);
    this.#live.applyPacked(bytes);
  }

  /** The record of an entry is gone for good. Only a tombstone lifts an entry; this forgets the tombstone. */
  purged(kind: DenylistEntry['kind'], value: string): void {
    this.#staging?.list.forgetTombstone(kind, value);
    this.#live.forgetTombstone(kind, value);
  }

  /** Records are missing in what came: each of them was replaced by a later one, which is still to come. */
  gap(): void {
    this.#gapped = true;
  }

  /** Everything that was in the bucket has been read. A heartbeat found there may be old: it proves the set, not its age. */
  snapshotComplete(): HeartbeatOutcome {
    if (!this.#staging) return 'waiting';
    this.#staging.complete = true;
    const { heartbeat, list } = this.#staging;
    if (!heartbeat || compareToHeartbeat(list, heartbeat) !== 'same') return 'waiting';
    this.#swap(list, heartbeat);
    return 'swapped';
  }

  heartbeat(heartbeat: DenylistHeartbeat, nowMs: number): HeartbeatOutcome {
    const staging = this.#staging;
    if (!staging) return this.#judgeLive(heartbeat, nowMs);
    if (!staging.complete && !staging.heartbeat) {
      staging.heartbeat = heartbeat;
      return 'waiting';
    }
    // The bucket keeps one heartbeat: a second one in one reading is live, and everything that was there came before it. The
    // server's count of what is to come cannot tell, since a heartbeat replaced while it was being read is never delivered.
    staging.complete = true;
    const verdict = compareToHeartbeat(staging.list, heartbeat);
    if (verdict === 'same') {
      this.#swap(staging.list, heartbeat);
      this.#provenAtMs = nowMs;
      return 'swapped';
    }
    if ((verdict === 'ahead' || this.#gapped) && this.#tolerate()) return 'waiting';
    this.#diverged = true;
    return 'resync';
  }

  #judgeLive(heartbeat: DenylistHeartbeat, nowMs: number): HeartbeatOutcome {
    this.#isExact = false;
    if (heartbeat.generation !== this.#generation) return this.#diverge();
    const verdict = compareToHeartbeat(this.#live, heartbeat);
    if (verdict === 'same') {
      this.#cover(heartbeat);
      this.#provenAtMs = nowMs;
      return 'same';
    }
    if ((verdict === 'mismatch' && !this.#gapped) || !this.#tolerate()) return this.#diverge();
    // Ahead of the heartbeat, nothing that it knew is known to be missing; behind it, age goes on.
    if (verdict === 'ahead') this.#provenAtMs = nowMs;
    return 'waiting';
  }

  #diverge(): 'resync' {
    this.#diverged = true;
    return 'resync';
  }

  #tolerate(): boolean {
    this.#tolerated += 1;
    return this.#tolerated <= MAX_TOLERATED;
  }

  #swap(list: Denylist, heartbeat: DenylistHeartbeat): void {
    this.#live = list;
    this.#staging = undefined;
    this.#generation = heartbeat.generation;
    this.#diverged = false;
    this.#cover(heartbeat);
  }

  #cover({ sequence, urgent = sequence }: DenylistHeartbeat): void {
    this.#live.advance(sequence);
    this.#covered = { sequence, urgent };
    this.#isExact = true;
    this.#tolerated = 0;
    this.#gapped = false;
  }
}
