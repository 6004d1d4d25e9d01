/** Decides whether a certificate may vouch for what was signed at some moment of the past: for offline logs and for stored messages. */

/** As provisioning tells it (`vehicleCertificateGet`), in milliseconds. */
export interface CertificateStanding {
  readonly status: 'live' | 'pending' | 'superseded' | 'revoked';
  readonly supersededAtMs?: number;
  readonly revokedAtMs?: number;
}

/** Both ends included, as RFC 5280 §4.1.2.5 counts. */
export interface CertificateValidity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Why not, at that moment. The first that holds is said: revocation outweighs what came of itself. */
export type Unfit = 'revoked' | 'superseded' | 'not_yet_valid' | 'expired';

/**
 * Undefined when the certificate may have signed at `atMs`, else why not. One that has expired or was superseded since vouches for the
 * time when it was in service; a revoked one for times before its revocation only, and for none where that time is not known. `atMs` must
 * come from someone who is trusted with it: a vehicle's own clock says nothing against the holder of a stolen key, so what a revoked
 * certificate signed counts only where something else fixes its time (a later log head that had been received).
 */
export function mayHaveSigned(
  { notBeforeMs, notAfterMs }: CertificateValidity,
  { status, supersededAtMs, revokedAtMs }: CertificateStanding,
  atMs: number,
): Unfit | undefined {
  if (status === 'revoked' && revokedAtMs === undefined) return 'revoked';
  if (revokedAtMs !== undefined && atMs >= revokedAtMs) return 'revoked';
  if (supersededAtMs !== undefined && atMs >= supersededAtMs) return 'superseded';
  if (atMs < notBeforeMs) return 'not_yet_valid';
  return atMs > notAfterMs ? 'expired' : undefined;
}
