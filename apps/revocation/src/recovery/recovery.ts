/** Decides what an approved recovery order takes off the denylist. */
import type { ClaimSource } from '../denylist/claim.js';

/**
 * @param lastRevokedAt of the device as a whole; undefined: it never was.
 * @param upTo the last revocation that the order knew of.
 * @returns whose claims on the device id end: a revocation's only where the order knew of the last one. Requests are the gateway's own
 *   to withdraw, what the registry itself wants it says by version.
 */
export function endedClaims(lastRevokedAt: Date | undefined, upTo: Date | undefined): readonly ClaimSource[] {
  const isLater = lastRevokedAt !== undefined && (upTo === undefined || lastRevokedAt > upTo);
  return isLater ? [] : ['revoke', 'hold', 'lasting'];
}
