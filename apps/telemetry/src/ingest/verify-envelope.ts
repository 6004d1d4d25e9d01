/** Verifies a message's signature over the bytes that its format signs. */
import { signedForms } from '@outrider/canonicalization';
import {
  COSE_EXTERNAL_AAD,
  decodeSignature,
  JWS_TYP,
  type VerificationKey,
  verifyCoseSign1,
  verifyJws,
  verifySignature,
} from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { CoseEnvelope, Envelope, JsonEnvelope, JwsEnvelope } from './envelope.js';

/**
 * @param jcs of `payloadValue`: what a message in JSON is signed over first
 * @throws DomainError `telemetry.bad_signature`
 */
export function verifyEnvelope(envelope: Envelope, key: VerificationKey, jcs: string): void {
  if (envelope.format === 'json') verifyJson(envelope, key, jcs);
  else if (envelope.format === 'cose') verifyCose(envelope, key);
  else verifyJwsEnvelope(envelope, key);
}

/** The payload as a value, unverified. */
export function payloadValue(envelope: Envelope): Record<string, unknown> {
  return (envelope.format === 'cose' ? envelope.value : envelope.payload.value()) as Record<string, unknown>;
}

/** JCS first, then the token-preserving forms where they differ. */
function verifyJson({ payload, signature }: JsonEnvelope, key: VerificationKey, jcs: string): void {
  const bytes = decodeSignature(signature, key.algorithm);
  if (!bytes) throw new DomainError('telemetry.bad_signature', { detail: 'the signature does not fit the key' });
  for (const form of signedForms(payload, Buffer.from(jcs, 'utf8'))) if (verifySignature(key, form, bytes)) return;
  throw new DomainError('telemetry.bad_signature');
}

function verifyCose({ cose, batchOf }: CoseEnvelope, key: VerificationKey): void {
  const externalAad = batchOf === undefined ? COSE_EXTERNAL_AAD.telemetry : COSE_EXTERNAL_AAD.telemetryBatch;
  const verdict = verifyCoseSign1(cose, key, { externalAad });
  if (!verdict.ok) throw refused(verdict.reason);
}

function verifyJwsEnvelope({ jws }: JwsEnvelope, key: VerificationKey): void {
  const verdict = verifyJws(jws, key, { typ: JWS_TYP.telemetry, allowedHeaders: ['kid', 'x5t#S256'] });
  if (!verdict.ok) throw refused(verdict.reason);
}

/** What is wrong with headers is said; of a signature, only that it is bad. */
function refused(reason: string): DomainError {
  return new DomainError('telemetry.bad_signature', reason === 'bad_signature' ? {} : { detail: reason });
}
