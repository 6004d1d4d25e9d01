/** How long to wait before the next attempt: exponential with jitter, never sooner than the server asked. */

const FIRST_MS = 250;
const LONGEST_MS = 30_000;

/**
 * `attempt`: 1 after the first failure. `random`: in [0, 1). Between half and all of 250 ms x 2^(attempt-1), at most 30 s. `Retry-After`
 * is a floor; up to a quarter of it is added, so that a fleet told the same does not come back at the same moment.
 */
export function backoffMs(attempt: number, random: number, retryAfterSeconds?: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 20));
  const own = ceiling * (0.5 + random / 2);
  const asked = retryAfterSeconds === undefined ? 0 : retryAfterSeconds * 1000 * (1 + random / 4);
  return Math.round(Math.max(own, asked));
}

/** `Retry-After` in seconds from either of its forms (RFC 9110 §10.2.3), at most an hour; undefined when absent or unreadable. */
export function retryAfterSeconds(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const date = /^[A-Za-z]{3,9},? /.test(header) ? Date.parse(header) : Number.NaN;
  const seconds = /^\d{1,9}$/.test(header.trim()) ? Number(header) : (date - nowMs) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(3600, Math.max(0, seconds));
}
