/** Decides how far a verified segment is to be trusted: what a revoked key signed counts only where its time is proven. */
import type { LogSigner } from './verify-log.js';

/** `unanchored`: kept, but whoever holds the key since its revocation may have written it. */
export type Standing = 'trusted' | 'unanchored';
/** What became of the signing certificate since. */
export type SignerNow = 'live' | 'expired' | 'superseded' | 'revoked';

/** A head that had been received while its vehicle was still believed. */
export interface ReceivedHead {
  readonly segment: number;
  /** Hex. */
  readonly sha256: string;
  readonly receivedAtMs: number;
}

/**
 * @param chain hex SHA-256 of each head of the delivery, by number: what hangs together with the segment
 * @param heads those of the same log that had been received
 */
export function standingOf(
  segment: number,
  { standing }: LogSigner,
  chain: ReadonlyMap<number, string>,
  heads: readonly ReceivedHead[],
): Standing {
  const { revokedAtMs } = standing;
  if (standing.status !== 'revoked' && revokedAtMs === undefined) return 'trusted';
  const proven = heads.some(
    (head) =>
      head.segment >= segment &&
      chain.get(head.segment) === head.sha256 &&
      revokedAtMs !== undefined &&
      head.receivedAtMs < revokedAtMs,
  );
  return proven ? 'trusted' : 'unanchored';
}

export function signerNow({ standing, validity }: LogSigner, nowMs: number): SignerNow {
  if (standing.status === 'revoked') return 'revoked';
  if (standing.status === 'superseded') return 'superseded';
  return nowMs > validity.notAfterMs ? 'expired' : 'live';
}
