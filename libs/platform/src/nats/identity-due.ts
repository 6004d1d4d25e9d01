/** When a service's own certificate is due to be renewed, and whether what came back is what it asked for. */
import { type ParsedCertificate, validateChain } from '@outrider/x509';

/** The part of its life after which a certificate is renewed. */
const DUE_AFTER = 2 / 3;
/** The part after which whoever looks should be told that it was not. */
const CLOSE_AFTER = 5 / 6;

export function identityState(certificate: ParsedCertificate, now: Date): 'good' | 'due' | 'close' | 'over' {
  const beginMs = certificate.notBefore.getTime();
  const lifeMs = certificate.notAfter.getTime() - beginMs;
  const livedMs = now.getTime() - beginMs;
  if (livedMs > lifeMs) return 'over';
  if (livedMs >= lifeMs * CLOSE_AFTER) return 'close';
  return livedMs >= lifeMs * DUE_AFTER ? 'due' : 'good';
}

/**
 * @param present the certificate that was renewed.
 * @returns what is wrong with the new one; undefined where it is the present one's successor with the new key.
 */
export function flawOf(
  renewed: ParsedCertificate,
  present: ParsedCertificate,
  newKeySpki: Uint8Array,
  infrastructureCas: readonly ParsedCertificate[],
  now: Date,
): string | undefined {
  if (!Buffer.from(renewed.spkiDer).equals(newKeySpki)) return 'it is for another key';
  if (!sameNames(renewed.sanUris, present.sanUris)) return 'it names another service';
  if (!sameNames(renewed.sanDns, present.sanDns) || !sameNames(renewed.sanIps, present.sanIps))
    return 'it has other hosts';
  try {
    for (const purpose of ['serverAuth', 'clientAuth'] as const)
      validateChain(renewed, [], infrastructureCas, { now, purpose });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name) => other.includes(name));
}
