/** Decides when the denylist's snapshot is to be written anew, so that an instance that starts has few changes to read after it. */

/** Below it the bucket itself is read in less time than anybody notices. */
const MIN_COUNT = 5000;
/** A snapshot of a million entries is 55 MB: not for every hundred changes, and not several a second. */
const MIN_CHANGES = 2000;
const CHANGES_SHARE = 0.02;
const MIN_AGE_MS = 10_000;
/** Before the tombstones, and the markers after them, leave the bucket: what ended in the meantime must still be told there. */
const MAX_AGE_MS = 1_800_000;

/** `last`: the snapshot there is, of this generation; its `ageMs` by the clock. `sequence`: what is written by now, in `count` live entries. */
export function isSnapshotDue(
  { sequence, count }: { readonly sequence: number; readonly count: number },
  last: { readonly sequence: number; readonly ageMs: number } | undefined,
): boolean {
  if (count < MIN_COUNT) return false;
  if (!last) return true;
  const changes = sequence - last.sequence;
  if (changes > MIN_CHANGES + CHANGES_SHARE * count) return last.ageMs >= MIN_AGE_MS;
  return changes > 0 && last.ageMs >= MAX_AGE_MS;
}
