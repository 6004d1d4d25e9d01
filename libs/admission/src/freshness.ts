/** Decides how far the denylist may be trusted by its age, and whether it is the set its writer speaks of. */

/** Milliseconds. Older than `controlStaleMs`: control actions fail closed; older than `staleMs`: everything does. */
export interface FreshnessLimits {
  readonly controlStaleMs: number;
  readonly staleMs: number;
}

export type Freshness = 'fresh' | 'control_stale' | 'stale';

export const DEFAULT_FRESHNESS: FreshnessLimits = { controlStaleMs: 5_000, staleMs: 60_000 };

/** `ageMs`: monotonic age of the last heartbeat whose sequence was applied; Infinity before the first. */
export function freshness(ageMs: number, limits: FreshnessLimits = DEFAULT_FRESHNESS): Freshness {
  // Negated comparisons, so that NaN is stale.
  if (!(ageMs <= limits.staleMs)) return 'stale';
  if (!(ageMs <= limits.controlStaleMs)) return 'control_stale';
  return 'fresh';
}

/** What the writer says it has written; see the heartbeat of the denylist feed. */
export interface ListState {
  readonly sequence: number;
  readonly count: number;
  readonly digest: string;
}

/**
 * Compares what is held with a heartbeat. `same`: the same set. `ahead`: the set differs and holds changes newer than
 * the heartbeat knew, so it proves nothing against it. `mismatch`: something is missing or too much.
 */
export function compareToHeartbeat(held: ListState, heartbeat: ListState): 'same' | 'ahead' | 'mismatch' {
  if (held.count === heartbeat.count && held.digest === heartbeat.digest) return 'same';
  return held.sequence > heartbeat.sequence ? 'ahead' : 'mismatch';
}
