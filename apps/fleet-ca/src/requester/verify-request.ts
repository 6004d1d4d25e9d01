/** Who is asking: a request counts only as a JWS by a service's own key, certified by the infrastructure CA, fresh, and meant for this subject. */
import { type ServiceTrust, verifyServiceJws } from '@outrider/admission';
import { JWS_TYP } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { Service } from '@outrider/ids';
import type { ParsedCertificate } from '@outrider/x509';
import { z } from 'zod';

/** At most what the contract lets through (`ServiceRequestJws`). */
const MAX_JWS_BYTES = 1_048_576;

export interface RequestTrust extends ServiceTrust {
  /** How old, and how far ahead, `iat` may be. */
  readonly maxAgeSeconds: number;
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
  const verdict = verifyServiceJws(compact, JWS_TYP.request, MAX_JWS_BYTES, trust);
  if (!verdict.ok) throw refused(verdict.reason);
  const payload = parsePayload(verdict.payload, schema);
  const ageSeconds = trust.now.getTime() / 1000 - payload.iat;
  if (Math.abs(ageSeconds) > trust.maxAgeSeconds) throw refused(`the request is ${Math.round(ageSeconds)} seconds old`);
  return { requester: verdict.service, certificate: verdict.certificate, payload };
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
