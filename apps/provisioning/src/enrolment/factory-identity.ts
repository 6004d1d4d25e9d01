/** Which registered device a factory certificate is, once its manufacturer vouches for it. */
import { DomainError } from '@outrider/errors';
import { type ParsedCertificate, parseCertificate, validateChain } from '@outrider/x509';

/**
 * The certificates presented above the leaf. What cannot be parsed cannot help to build a chain.
 * @throws nothing
 */
export function parsePresented(chain: readonly Uint8Array[]): ParsedCertificate[] {
  return chain.flatMap((der) => {
    try {
      return [parseCertificate(der)];
    } catch (error) {
      if (error instanceof DomainError) return [];
      throw error;
    }
  });
}

/** Whether the fleet itself issued it: such a one is no factory certificate, whoever else may vouch for it. */
export function isFleetCertificate(
  leaf: ParsedCertificate,
  intermediates: readonly ParsedCertificate[],
  fleet: readonly ParsedCertificate[],
  now: Date,
): boolean {
  if (fleet.some(({ keyThumbprint }) => keyThumbprint === leaf.keyThumbprint)) return true;
  // Most often nobody here bears its issuer's name, and no path can begin.
  const issuer = Buffer.from(leaf.issuer.der);
  if (![...intermediates, ...fleet].some(({ subject }) => issuer.equals(subject.der))) return false;
  try {
    validateChain(leaf, intermediates, fleet, { now, purpose: 'any' });
    return true;
  } catch (error) {
    if (error instanceof DomainError) return error.code === 'x509.expired';
    throw error;
  }
}
