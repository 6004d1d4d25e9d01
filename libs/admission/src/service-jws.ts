/** Decides which service of the suite signed a message: by a key that the infrastructure CA certified for that service, and nothing else. */
import { type JwsTyp, type ParsedJws, parseJws, verificationKey, verifyJws } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { Service, serviceSpiffeId, type TrustDomain } from '@outrider/ids';
import { type ParsedCertificate, parseCertificate, validateChain } from '@outrider/x509';
import { z } from 'zod';

const X5c = z.array(z.base64()).min(1).max(3);

export interface ServiceTrust {
  /** Every trusted generation. */
  readonly infrastructureCas: readonly ParsedCertificate[];
  readonly trustDomain: TrustDomain;
  readonly now: Date;
}

export type ServiceJwsVerdict =
  | { readonly ok: false; readonly reason: string }
  | {
      readonly ok: true;
      readonly service: Service;
      /** The signer's, for the denylist. */
      readonly certificate: ParsedCertificate;
      readonly payload: Uint8Array;
    };

/**
 * @param compact JWS with exactly this `typ`, and `x5c` with the service's certificate first (standard base64 of DER, RFC 7515 §4.1.6).
 * @param maxBytes a longer one is not parsed.
 * @throws DomainError `request.malformed` for what is no JWS
 */
export function verifyServiceJws(
  compact: string,
  typ: JwsTyp,
  maxBytes: number,
  trust: ServiceTrust,
): ServiceJwsVerdict {
  const jws = parseJws(compact, maxBytes);
  const certificate = certificateOf(jws, trust);
  if (typeof certificate === 'string') return { ok: false, reason: certificate };
  const verdict = verifyJws(jws, verificationKey(certificate.spkiDer), { typ, allowedHeaders: ['x5c'] });
  if (!verdict.ok) return { ok: false, reason: `the signature: ${verdict.reason}` };
  const [uri, ...more] = certificate.sanUris;
  const service = Service.options.find((name) => serviceSpiffeId(trust.trustDomain, name) === uri);
  if (service === undefined || more.length > 0) {
    return { ok: false, reason: 'the certificate names no service of this trust domain' };
  }
  return { ok: true, service, certificate, payload: jws.payload };
}

/** The signer's certificate, or why it is none. */
function certificateOf({ header }: ParsedJws, trust: ServiceTrust): ParsedCertificate | string {
  const x5c = X5c.safeParse(header.x5c);
  if (!x5c.success) return 'no x5c with the certificate of the signing service';
  try {
    const [leaf] = x5c.data.map((der) => parseCertificate(der)) as [ParsedCertificate, ...ParsedCertificate[]];
    // Only the leaf counts: the infrastructure CA signs it directly.
    validateChain(leaf, [], trust.infrastructureCas, { now: trust.now, purpose: 'clientAuth' });
    return leaf;
  } catch (error) {
    if (error instanceof DomainError) return error.message;
    throw error;
  }
}
