/** Verifies a message's signature over the bytes that its format signs. */
import { canonicalize, signedForms } from '@outrider/canonicalization';
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

/** What was signed. `jcs`: its JCS bytes or text, whichever form was signed. */
export interface SignedContent {
  readonly value: Record<string, unknown>;
  readonly jcs: Uint8Array | string;
}

/** @throws DomainError `telemetry.bad_signature` */
export function verifyEnvelope(envelope: Envelope, key: VerificationKey): SignedContent {
  switch (envelope.format) {
    case 'json':
      return verifyJson(envelope, key);
    case 'cose':
      return verifyCose(envelope, key);
    case 'jws':
      return verifyJwsEnvelope(envelope, key);
  }
}

/** JCS first, then the token-preserving forms where they differ. */
function verifyJson({ payload, signature }: JsonEnvelope, key: VerificationKey): SignedContent {
  const bytes = decodeSignature(signature, key.algorithm);
  if (!bytes) throw new DomainError('telemetry.bad_signature', { detail: 'the signature does not fit the key' });
  const value = payload.value() as Record<string, unknown>;
  let jcs: Uint8Array | undefined;
  for (const form of signedForms(payload, value)) {
    jcs ??= form;
    if (verifySignature(key, form, bytes)) return { value, jcs };
  }
  throw new DomainError('telemetry.bad_signature');
}

function verifyCose({ cose, value, batchOf }: CoseEnvelope, key: VerificationKey): SignedContent {
  const externalAad = batchOf === undefined ? COSE_EXTERNAL_AAD.telemetry : COSE_EXTERNAL_AAD.telemetryBatch;
  const verdict = verifyCoseSign1(cose, key, { externalAad });
  if (!verdict.ok) throw refused(verdict.reason);
  return { value: value as Record<string, unknown>, jcs: canonicalize(value) };
}

function verifyJwsEnvelope({ jws, payload }: JwsEnvelope, key: VerificationKey): SignedContent {
  const verdict = verifyJws(jws, key, { typ: JWS_TYP.telemetry, allowedHeaders: ['kid', 'x5t#S256'] });
  if (!verdict.ok) throw refused(verdict.reason);
  const value = payload.value() as Record<string, unknown>;
  return { value, jcs: canonicalize(value) };
}

/** What is wrong with headers is said; of a signature, only that it is bad. */
function refused(reason: string): DomainError {
  return new DomainError('telemetry.bad_signature', reason === 'bad_signature' ? {} : { detail: reason });
}
