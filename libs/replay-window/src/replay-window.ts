/** Decides whether a sequence number is new, already seen, too old or implausibly far ahead: a 1,024-bit ring after RFC 6479. */

/** Sequence numbers the window remembers, the highest one included. */
export const WINDOW_BITS = 1_024;
export const WINDOW_BYTES = WINDOW_BITS / 8;
/** An advance of more than this is accepted and reported. */
export const MAX_JUMP = 10_000;
/** An advance of more than this is refused. */
export const HARD_LIMIT = 1_000_000;

/**
 * `highest`: the highest accepted sequence number, 0 before the first. `bits`: 128 bytes; sequence number s of the window
 * (highest - 1023 to highest) has bit `s mod 8` (0 = least significant) of byte `floor((s mod 1024) / 8)`.
 * A row holds `highest` as bigint and `bits` as a 128-byte bytea, byte for byte; read it back with `restoreWindow`.
 */
export interface ReplayWindow {
  readonly highest: number;
  readonly bits: Uint8Array;
}

/** A window that one batch moves in place; made by `mutableWindow`, never shared. */
export interface MutableReplayWindow {
  highest: number;
  readonly bits: Uint8Array;
}

/** `hardLimit` and `maxJump` are distances above the highest sequence number. */
export interface WindowLimits {
  readonly hardLimit: number;
  readonly maxJump?: number;
}

export type Refusal =
  | { readonly verdict: 'duplicate_or_replayed' }
  | { readonly verdict: 'too_old' }
  | { readonly verdict: 'jump' };

/** `jumped`: the distance above the previous highest, present when it exceeds `maxJump` and this is no first contact. */
export type Acceptance = { readonly verdict: 'accepted'; readonly jumped?: number };
export type Judgement = Acceptance | Refusal;
export type Verdict = (Acceptance & { readonly window: ReplayWindow }) | Refusal;

export function emptyWindow(): ReplayWindow {
  return { highest: 0, bits: new Uint8Array(WINDOW_BYTES) };
}

/**
 * A window as a row stores it.
 * @throws RangeError when the row cannot be a window: the store is corrupt, which is no caller's fault.
 */
export function restoreWindow(highest: number, bits: Uint8Array): ReplayWindow {
  if (!Number.isSafeInteger(highest) || highest < 0) throw new RangeError('window: highest is no sequence number');
  if (bits.length !== WINDOW_BYTES) throw new RangeError(`window: ${bits.length} bytes instead of ${WINDOW_BYTES}`);
  return { highest, bits };
}

/** A copy that `acceptInto` may move: one allocation for a whole batch. */
export function mutableWindow(window: ReplayWindow): MutableReplayWindow {
  return { highest: window.highest, bits: Uint8Array.from(window.bits) };
}

/**
 * What the window says of a sequence number, without moving. Total: any number gets a verdict, and none costs more than
 * another (the age is decided before anything is shifted). Below 1, fractional and NaN are `too_old`; beyond 2^53-1 is `jump`.
 * `duplicate_or_replayed` is told apart by the caller, who knows the digest of the record stored under that number.
 */
export function judge(window: ReplayWindow, seq: number, limits: WindowLimits): Judgement {
  const ahead = seq - window.highest;
  if (ahead > limits.hardLimit || seq > Number.MAX_SAFE_INTEGER) return { verdict: 'jump' };
  if (!Number.isInteger(seq) || seq < 1 || ahead <= -WINDOW_BITS) return { verdict: 'too_old' };
  if (ahead <= 0) return isSeen(window, seq) ? { verdict: 'duplicate_or_replayed' } : { verdict: 'accepted' };
  const jumped = window.highest > 0 && ahead > (limits.maxJump ?? MAX_JUMP);
  return jumped ? { verdict: 'accepted', jumped: ahead } : { verdict: 'accepted' };
}

/**
 * Judges a sequence number and gives the window that follows; the one given is not changed. An empty window accepts 1 to hardLimit.
 * Call it after every other check of the message has passed: only then may the window move.
 */
export function accept(window: ReplayWindow, seq: number, limits: WindowLimits): Verdict {
  const judgement = judge(window, seq, limits);
  if (judgement.verdict !== 'accepted') return judgement;
  const moved = mutableWindow(window);
  mark(moved, seq);
  return { ...judgement, window: moved };
}

/** The same decision for batches: moves `window` in place when the verdict is `accepted`, leaves it alone otherwise. */
export function acceptInto(window: MutableReplayWindow, seq: number, limits: WindowLimits): Judgement {
  const judgement = judge(window, seq, limits);
  if (judgement.verdict === 'accepted') mark(window, seq);
  return judgement;
}

/** Only for a number that `judge` accepted. Modulo, not masks: sequence numbers exceed 32 bits. */
function mark(window: MutableReplayWindow, seq: number): void {
  const ahead = seq - window.highest;
  if (ahead >= WINDOW_BITS) window.bits.fill(0);
  else for (let step = 1; step < ahead; step++) clearBit(window.bits, window.highest + step);
  if (ahead > 0) window.highest = seq;
  const index = seq % WINDOW_BITS;
  window.bits[index >>> 3]! |= 1 << (index & 7);
}

function clearBit(bits: Uint8Array, seq: number): void {
  const index = seq % WINDOW_BITS;
  bits[index >>> 3]! &= ~(1 << (index & 7));
}

/** For a number inside the window. */
export function isSeen(window: ReplayWindow, seq: number): boolean {
  const index = seq % WINDOW_BITS;
  return (window.bits[index >>> 3]! & (1 << (index & 7))) !== 0;
}
