/** Arithmetic of sequence ranges: both ends included, sorted, apart from each other. */
import type { SequenceRange } from '@outrider/replay-window';

/** Sorted, with neighbours and overlaps joined. */
export function normalize(ranges: readonly SequenceRange[]): SequenceRange[] {
  const joined: SequenceRange[] = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

/** What is in `ranges` and in none of `others`. Both in any order. */
export function subtract(ranges: readonly SequenceRange[], others: readonly SequenceRange[]): SequenceRange[] {
  const left: SequenceRange[] = [];
  const cuts = normalize(others);
  for (const [from, to] of normalize(ranges)) {
    let at = from;
    for (const [cutFrom, cutTo] of cuts) {
      if (cutTo < at) continue;
      if (cutFrom > to) break;
      if (cutFrom > at) left.push([at, cutFrom - 1]);
      at = cutTo + 1;
    }
    if (at <= to) left.push([at, to]);
  }
  return left;
}

/** What of `ranges` lies from `from` to `to`. */
export function clip(ranges: readonly SequenceRange[], from: number, to: number): SequenceRange[] {
  return normalize(ranges)
    .map(([first, last]): SequenceRange => [Math.max(first, from), Math.min(last, to)])
    .filter(([first, last]) => first <= last);
}

/** The lowest part of `ranges` that names at most `maxNumbers` numbers in at most `maxRanges` ranges. */
export function lowest(ranges: readonly SequenceRange[], maxNumbers: number, maxRanges: number): SequenceRange[] {
  const taken: SequenceRange[] = [];
  let room = maxNumbers;
  for (const [from, to] of normalize(ranges)) {
    if (room <= 0 || taken.length === maxRanges) break;
    const last = Math.min(to, from + room - 1);
    taken.push([from, last]);
    room -= last - from + 1;
  }
  return taken;
}

/** How many numbers they name. `ranges` must not overlap. */
export function size(ranges: readonly SequenceRange[]): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0);
}

export function contains(ranges: readonly SequenceRange[], seq: number): boolean {
  return ranges.some(([from, to]) => from <= seq && seq <= to);
}
