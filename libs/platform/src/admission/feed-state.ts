/** Decides what the denylist feed makes of each record: when a list is proven, swapped in, or to be read again. */
import { compareToHeartbeat, Denylist, type DenylistEntry, type FreshnessLimits } from '@outrider/admission';
import type { DenylistHeartbeat } from '@outrider/contracts';

/** Heartbeats in a row that knew less than we hold; more of them and the difference is no race. */
const MAX_AHEAD = 10;

/** `same`: proven. `waiting`: not to be judged yet. `swapped`: a list read anew took over. `resync`: read everything again. */
export type HeartbeatOutcome = 'same' | 'waiting' | 'swapped' | 'resync';

/**
 * The list in force, and while the bucket is read again a second one beside it. What arrives goes into both, so that nothing
 * waits for the swap and nothing is lifted before it. Times are milliseconds of a monotonic clock.
 */
export class FeedState {
  #live = new Denylist();
  #staging: { readonly list: Denylist; complete: boolean; heartbeat?: DenylistHeartbeat } | undefined;
  #generation: number | undefined;
  #diverged = false;
  #ahead = 0;
  #provenAtMs = Number.NEGATIVE_INFINITY;

  /** What is enforced. */
  get live(): Denylist {
    return this.#live;
  }

  /** Everything up to it is enforced; undefined while the bucket is still being read. */
  get sequence(): number | undefined {
    if (!this.#staging) return this.#live.sequence;
    return this.#staging.complete ? this.#staging.list.sequence : undefined;
  }

  get generation(): number | undefined {
    return this.#generation;
  }

  /** A list known to differ from its writer's is at once too old for control actions. */
  ageMs(nowMs: number, { controlStaleMs }: Pick<FreshnessLimits, 'controlStaleMs'>): number {
    const age = nowMs - this.#provenAtMs;
    return this.#diverged ? Math.max(age, controlStaleMs + 1) : age;
  }

  /** The bucket is about to be read from its beginning. */
  beginResync(): void {
    this.#staging = { list: new Denylist(), complete: false };
    this.#ahead = 0;
  }

  /** True where the list in force changed. */
  entry(entry: DenylistEntry): boolean {
    this.#staging?.list.apply(entry);
    return this.#live.apply(entry).changed;
  }

  /** The record of an entry is gone for good. Only a tombstone lifts an entry; this forgets the tombstone. */
  purged(kind: DenylistEntry['kind'], value: string): void {
    this.#staging?.list.forgetTombstone(kind, value);
    this.#live.forgetTombstone(kind, value);
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
    if (verdict === 'ahead' && this.#tolerated()) return 'waiting';
    this.#diverged = true;
    return 'resync';
  }

  #judgeLive(heartbeat: DenylistHeartbeat, nowMs: number): HeartbeatOutcome {
    const verdict = heartbeat.generation === this.#generation ? compareToHeartbeat(this.#live, heartbeat) : 'mismatch';
    if (verdict === 'mismatch' || (verdict === 'ahead' && !this.#tolerated())) {
      this.#diverged = true;
      return 'resync';
    }
    if (verdict === 'same') {
      this.#live.advance(heartbeat.sequence);
      this.#ahead = 0;
    }
    this.#provenAtMs = nowMs;
    return 'same';
  }

  #tolerated(): boolean {
    this.#ahead += 1;
    return this.#ahead <= MAX_AHEAD;
  }

  #swap(list: Denylist, heartbeat: DenylistHeartbeat): void {
    list.advance(heartbeat.sequence);
    this.#live = list;
    this.#staging = undefined;
    this.#generation = heartbeat.generation;
    this.#diverged = false;
    this.#ahead = 0;
  }
}
