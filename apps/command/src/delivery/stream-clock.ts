/** Decides what a stream does at a moment: ask for a new token ahead of the old one's end, end with it, or wait and for how long. */

/** The token that a stream goes on by; seconds since the epoch. */
export interface StreamToken {
  readonly iat: number;
  readonly exp: number;
}

export type Due = { readonly kind: 'ask' } | { readonly kind: 'end' } | { readonly kind: 'wait'; readonly ms: number };

/** A third of the token's life, at most ten seconds: for one round trip to the token service and one here, and for trying again. */
const LEAD_SHARE = 1 / 3;
const MOST_LEAD_MS = 10_000;

/** `asked`: a new token was asked for already, in this token's life. */
export function due({ iat, exp }: StreamToken, asked: boolean, nowMs: number): Due {
  const endMs = exp * 1000;
  if (nowMs >= endMs) return { kind: 'end' };
  const askMs = endMs - Math.min(MOST_LEAD_MS, (exp - iat) * 1000 * LEAD_SHARE);
  if (asked) return { kind: 'wait', ms: endMs - nowMs };
  return nowMs >= askMs ? { kind: 'ask' } : { kind: 'wait', ms: askMs - nowMs };
}
