/** Signatures that are inside the bytes they sign: JWS (compact and flattened) and COSE_Sign1. */
import { decodeCbor, parseCoseSign1 } from '@outrider/canonicalization';
import {
  COSE_EXTERNAL_AAD,
  JWS_TYP,
  type ParsedJws,
  parseFlattenedJws,
  parseJws,
  type VerificationKey,
  verifyCoseSign1,
  verifyJws,
} from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { z } from 'zod';
import { LIMITS, scan } from './scan.js';

const OPEN_BRACE = 0x7b;
const Flattened = z.strictObject({
  payload: z.string(),
  protected: z.string(),
  header: z.record(z.string(), z.unknown()).optional(),
  signature: z.string(),
});

/**
 * A JWS as stored: the compact text or the flattened object (RFC 7515 §7.1, §7.2.2).
 * @throws DomainError `request.malformed`
 */
export function storedJws(bytes: Uint8Array): ParsedJws {
  if (bytes[0] !== OPEN_BRACE) return parseJws(Buffer.from(bytes).toString('latin1'), LIMITS.maxBytes);
  const { data, error } = Flattened.safeParse(scan(bytes).value());
  if (!data) throw new DomainError('request.malformed', { cause: error, detail: 'no flattened JWS' });
  const { header, ...parts } = data;
  return parseFlattenedJws(header ? { ...parts, header } : parts);
}

/** The payload's value; undefined where the signature does not verify or was made for something else. */
export function verifyJwsRecord(bytes: Uint8Array, key: VerificationKey): unknown {
  const jws = storedJws(bytes);
  const verdict = verifyJws(jws, key, { typ: JWS_TYP.telemetry, allowedHeaders: ['kid', 'x5t#S256'] });
  return verdict.ok ? scan(jws.payload).value() : undefined;
}

/** The same of a COSE_Sign1 made for `context`. */
export function verifyCose(
  bytes: Uint8Array,
  key: VerificationKey,
  context: 'telemetry' | 'telemetryBatch' | 'logSegment',
): unknown {
  const cose = parseCoseSign1(bytes, LIMITS.maxBytes);
  const verdict = verifyCoseSign1(cose, key, { externalAad: COSE_EXTERNAL_AAD[context] });
  return verdict.ok ? decodeCbor(cose.payload, LIMITS) : undefined;
}
