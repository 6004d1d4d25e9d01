/** Who is asking: a request counts only as a JWS by a service's own key, certified by the infrastructure CA, fresh, and meant for this subject. */
import { JWS_TYP, parseJws, verificationKey, verifyJws } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { Service, serviceSpiffeId, type TrustDomain } from '@outrider/ids';
import { type ParsedCertificate, parseCertificate, validateChain } from '@outrider/x509';
import { z } from 'zod';

/** At most what the contract lets through (`ServiceRequestJws`). */
const MAX_JWS_BYTES = 1_048_576;
const X5c = z.array(z.base64()).min(1).max(3);

export interface RequestTrust {
  /** Every trusted generation. */
  readonly infrastructureCas: readonly ParsedCertificate[];
  readonly trustDomain: TrustDomain;
  /** How old, and how far ahead, `iat` may be. */
  readonly maxAgeSeconds: number;
  readonly now: Date;
}

export interface VerifiedRequest<P> {
  readonly requester: Service;
  /** Of the requester's certificate, key and name, for the denylist. */
  readonly certificate: ParsedCertificate;
  readonly payload: P;
}

/**
 * @param compact JWS, `typ: outrider-request+jws`, `x5c` with the service's certificate first (standard base64 of DER, RFC 7515 §4.1.6).
 * @param schema of the payload; its `aud` is what ties the request to one subject, its `iat` (seconds) to a time.
 * @throws DomainError `ca.requester_refused` whoever it is; `request.malformed`, `request.invalid` for its form.
 */
export function verifyRequest<P extends { iat: number }>(
  compact: string,
  schema: z.ZodType<P>,
  trust: RequestTrust,
): VerifiedRequest<P> {
  const jws = parseJws(compact, MAX_JWS_BYTES);
  const certificate = certificateOf(jws.header, trust);
  const verdict = verifyJws(jws, verificationKey(certificate.spkiDer), {
    typ: JWS_TYP.request,
    allowedHeaders: ['x5c'],
  });
  if (!verdict.ok) throw refused(`the request's signature: ${verdict.reason}`);
  const payload = parsePayload(jws.payload, schema);
  const ageSeconds = trust.now.getTime() / 1000 - payload.iat;
  if (Math.abs(ageSeconds) > trust.maxAgeSeconds) throw refused(`the request is ${Math.round(ageSeconds)} seconds old`);
  return { requester: serviceOf(certificate, trust.trustDomain), certificate, payload };
}

function certificateOf(header: Readonly<Record<string, unknown>>, trust: RequestTrust): ParsedCertificate {
  const x5c = X5c.safeParse(header.x5c);
  if (!x5c.success) throw refused('no x5c with the certificate of the requesting service');
  try {
    const [leaf] = x5c.data.map((der) => parseCertificate(der)) as [ParsedCertificate, ...ParsedCertificate[]];
    // Only the leaf counts: the infrastructure CA signs it directly.
    validateChain(leaf, [], trust.infrastructureCas, { now: trust.now, purpose: 'clientAuth' });
    return leaf;
  } catch (cause) {
    if (!(cause instanceof DomainError)) throw cause;
    throw new DomainError('ca.requester_refused', { cause, detail: cause.message });
  }
}

function serviceOf(certificate: ParsedCertificate, trustDomain: TrustDomain): Service {
  const [uri, ...more] = certificate.sanUris;
  const service = Service.options.find((name) => serviceSpiffeId(trustDomain, name) === uri);
  if (service === undefined || more.length > 0) throw refused('the certificate names no service of this trust domain');
  return service;
}

function parsePayload<P>(bytes: Uint8Array, schema: z.ZodType<P>): P {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DomainError('request.malformed', { cause, detail: 'the payload is not JSON' });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    throw new DomainError('request.invalid', { cause: parsed.error, detail: z.prettifyError(parsed.error) });
  }
  return parsed.data;
}

function refused(detail: string): DomainError {
  return new DomainError('ca.requester_refused', { detail });
}
