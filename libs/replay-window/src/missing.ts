/** Names the gaps of a replay window, so that a vehicle can be told what never arrived. */
import { isSeen, type ReplayWindow, WINDOW_BITS } from './replay-window.js';

export type SequenceRange = [from: number, to: number];

/**
 * Ranges (both ends included) of sequence numbers inside the window, below its highest, that were not accepted; lowest first, since
 * those leave the window first. At most `maxRanges`; what lies below the window is not known any more and never named.
 */
export function missing(window: ReplayWindow, maxRanges: number): SequenceRange[] {
  const ranges: SequenceRange[] = [];
  let from = 0;
  for (let seq = Math.max(1, window.highest - WINDOW_BITS + 1); seq <= window.highest; seq++) {
    const seen = isSeen(window, seq);
    if (!seen && from === 0) from = seq;
    if (!seen || from === 0) continue;
    if (ranges.length >= maxRanges) break;
    ranges.push([from, seq - 1]);
    from = 0;
  }
  return ranges;
}
