/** Decides what happens to a refresh token that comes: rotated, refused, or its family ended because it has been in two hands (RFC 9700 §4.14.2). */
import type { DeviceId, Thumbprint } from '@outrider/ids';

/** Seconds that a family lives, however often it is rotated. */
export const REFRESH_SECONDS = 86_400;

/** The scope that asks for a refresh token beside the access token (OpenID Connect Core §11); no token ever carries it. */
export const OFFLINE_SCOPE = 'offline_access';

/** Whom a refresh token serves: one device, by one certificate, and by the DPoP key that the family began with. */
export interface RefreshHolder {
  readonly deviceId: DeviceId;
  readonly thumbprint: Thumbprint;
  readonly jkt: string | undefined;
}

/** As stored. `used`: it was rotated. `familyEnded`: by reuse or revocation. Milliseconds since the epoch. */
export interface StoredRefreshToken extends RefreshHolder {
  readonly familyEndsAtMs: number;
  readonly familyEnded: boolean;
  readonly used: boolean;
}

/** `end`: the family ends and so do its access tokens. `refuse`: nothing changes. */
export type RefreshDecision = 'rotate' | 'end' | 'refuse';

/**
 * There is no grace for a second use, not even at the same moment: who lost the answer asks with the certificate again. Another
 * device's having it is theft; the same device with another certificate has merely renewed.
 */
export function decideRefresh(
  token: StoredRefreshToken | undefined,
  holder: RefreshHolder,
  nowMs: number,
): RefreshDecision {
  if (!token) return 'refuse';
  if (token.deviceId !== holder.deviceId) return 'end';
  if (token.used || token.familyEnded) return 'end';
  if (nowMs >= token.familyEndsAtMs) return 'refuse';
  return token.thumbprint === holder.thumbprint && token.jkt === holder.jkt ? 'rotate' : 'refuse';
}
