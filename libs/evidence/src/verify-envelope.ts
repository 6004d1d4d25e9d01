/** Signatures that are inside the bytes they sign: JWS and COSE_Sign1. */
import type { VerificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';

/** The payload's value; undefined where the signature does not verify or was made for something else. */
export function verifyJwsRecord(_bytes: Uint8Array, _key: VerificationKey): unknown {
  throw new DomainError('request.malformed', { detail: 'JWS is not read here' });
}

/** The same of a COSE_Sign1 made for `context`. */
export function verifyCose(
  _bytes: Uint8Array,
  _key: VerificationKey,
  _context: 'telemetry' | 'telemetryBatch',
): unknown {
  throw new DomainError('request.malformed', { detail: 'COSE is not read here' });
}
