/** Decides whether a certificate was this device's, of the fleet, at the time when a record was received. */
import { type VerificationKey, verificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { type ParsedCertificate, validateChain } from '@outrider/x509';

export interface SigningTrust {
  /** Certificates of the vehicle CA, its generations. */
  readonly intermediates: readonly ParsedCertificate[];
  /** What is believed without proof: the fleet root, or the vehicle CA itself. */
  readonly anchors: readonly ParsedCertificate[];
}

/** Seconds that a certificate is forgiven at either end: the vehicle CA back-dates, and clocks differ. */
const MARGIN_MS = 60_000;

/**
 * The key of a device's certificate, good at `at`. Revocation is not looked at: a revoked certificate's records from before stand.
 * @returns undefined for another device's, one that does not chain to an anchor, or one that was not valid then
 */
export function signingKey(
  certificate: ParsedCertificate,
  deviceId: string,
  at: Date,
  { intermediates, anchors }: SigningTrust,
): VerificationKey | undefined {
  if (!certificate.sanUris.some((uri) => /^spiffe:\/\/[^/]+\/vehicle\/(.+)$/.exec(uri)?.[1] === deviceId))
    return undefined;
  try {
    validateChain(certificate, intermediates, anchors, { now: within(certificate, at), purpose: 'clientAuth' });
    return verificationKey(certificate.spkiDer);
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

function within({ notBefore, notAfter }: ParsedCertificate, at: Date): Date {
  const ms = at.getTime();
  if (ms < notBefore.getTime() && ms >= notBefore.getTime() - MARGIN_MS) return notBefore;
  if (ms > notAfter.getTime() && ms <= notAfter.getTime() + MARGIN_MS) return notAfter;
  return at;
}
