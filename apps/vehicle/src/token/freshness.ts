/** Decides whether a cached access token still serves, or another is fetched ahead of its expiry. */

/** Times in milliseconds of a monotonic clock: the vehicle's wall clock is not trusted for it. */
export interface CachedToken {
  readonly value: string;
  readonly scope: string;
  readonly fetchedAt: number;
  readonly expiresAt: number;
  /** The certificate it is bound to. */
  readonly thumbprint: string;
}

/** Fresh until a quarter of its life, at most 15 s, is left, and only over the certificate that it was fetched with. */
export function serves(token: CachedToken | undefined, thumbprint: string, now: number): boolean {
  if (!token || token.thumbprint !== thumbprint) return false;
  const marginMs = Math.min(15_000, (token.expiresAt - token.fetchedAt) / 4);
  return now < token.expiresAt - marginMs;
}
