/** Decides whether the platform asks a vehicle for a part of its log by itself, and for which numbers. */
import type { Epoch, StreamName } from '@outrider/ids';
import type { SequenceRange } from '@outrider/replay-window';
import { type AutomaticReason, MAX_OPEN_AUTOMATIC, MAX_ORDER_NUMBERS, MAX_ORDER_RANGES } from './fetch-order.js';
import { clip, lowest, normalize, subtract } from './ranges.js';

/** Numbers of one stream and epoch that the live path will not bring any more. */
export interface Want {
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly ranges: readonly SequenceRange[];
  readonly reason: AutomaticReason;
}

/** What is known of the device when it is decided, under its lock. */
export interface Known {
  readonly openAutomatic: number;
  /** The device's present epoch. */
  readonly epoch: number;
  /** The live window's highest of that stream, in the present epoch. */
  readonly highest: number;
  /** Numbers of that stream and epoch that an order asks for or asked for, or that are stored. */
  readonly settled: readonly SequenceRange[];
}

export interface OrderPlan {
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly ranges: readonly SequenceRange[];
  readonly reason: AutomaticReason;
}

/**
 * At most one order a want, the oldest numbers first. Only what the live window has passed is ever asked for: it may still take what lies
 * above its highest, and nothing may be stored by both ways. What was asked for once is not asked for again by the platform itself.
 */
export function planOrder(want: Want, known: Known): OrderPlan | undefined {
  if (known.openAutomatic >= MAX_OPEN_AUTOMATIC || want.epoch > known.epoch) return undefined;
  const passed = want.epoch < known.epoch ? Number.MAX_SAFE_INTEGER : known.highest;
  const ranges = subtract(clip(want.ranges, 1, passed), known.settled);
  const asked = lowest(ranges, MAX_ORDER_NUMBERS, MAX_ORDER_RANGES);
  return asked.length === 0 ? undefined : { ...want, ranges: asked };
}

/** A record that was refused though it is the device's own and well signed: only a log can bring it. */
export interface Late {
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly seq: number;
}

/** One want for each stream and epoch. */
export function wantsOfLate(late: readonly Late[]): Want[] {
  const wants = new Map<string, { stream: StreamName; epoch: Epoch; ranges: SequenceRange[] }>();
  for (const { stream, epoch, seq } of late) {
    const key = `${stream} ${epoch}`;
    const want = wants.get(key) ?? { stream, epoch, ranges: [] };
    want.ranges.push([seq, seq]);
    wants.set(key, want);
  }
  return [...wants.values()].map((want) => ({ ...want, ranges: normalize(want.ranges), reason: 'too_late' }));
}

/** A gap that was seen in a window: since when, by a monotonic clock. */
export interface WatchedGap {
  readonly lowest: number;
  readonly sinceMs: number;
}

/** `patienceMs`: as long as the live path may still bring the numbers. `due`: ask for them now. */
export function watchGap(
  before: WatchedGap | undefined,
  missing: readonly SequenceRange[],
  patienceMs: number,
  nowMs: number,
): { readonly watched: WatchedGap | undefined; readonly due: boolean } {
  const [first] = missing;
  if (!first) return { watched: undefined, due: false };
  if (before?.lowest !== first[0]) return { watched: { lowest: first[0], sinceMs: nowMs }, due: false };
  if (nowMs - before.sinceMs < patienceMs) return { watched: before, due: false };
  return { watched: { lowest: first[0], sinceMs: nowMs }, due: true };
}
