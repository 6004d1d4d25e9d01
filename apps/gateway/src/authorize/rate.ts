/** Decides whether one more may come from a source (GCRA): one number a source, the moment at which all that came is paid for. */

/** `perSecond` in the long run; `burst` at once, 1 or more. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Milliseconds of a clock that never goes back; a source that nothing is known of has paid. */
export type PaidAtMs = number;

export type Taken =
  | { readonly taken: true; readonly paidAtMs: PaidAtMs }
  /** `waitMs`: until one more would be taken, if nothing else comes. */
  | { readonly taken: false; readonly waitMs: number };

export function takeOne(paidAtMs: PaidAtMs | undefined, { perSecond, burst }: Rate, nowMs: number): Taken {
  const costMs = 1000 / perSecond;
  const next = Math.max(paidAtMs ?? nowMs, nowMs) + costMs;
  const aheadMs = next - nowMs - burst * costMs;
  return aheadMs <= 0 ? { taken: true, paidAtMs: next } : { taken: false, waitMs: aheadMs };
}
