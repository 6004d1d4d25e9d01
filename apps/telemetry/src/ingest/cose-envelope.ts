/** Reads a message that is a COSE_Sign1 (RFC 9052): its payload is deterministic CBOR in JSON's data model, a single message or a signed batch. */
import { type CborItem, COSE_HEADER, type CoseSign1, decodeCbor, parseCoseSign1 } from '@outrider/canonicalization';
import { JCS_TYP } from '@outrider/crypto';
import { Thumbprint } from '@outrider/ids';
import { type Claims, claimedSeq, type Envelope, type Unreadable, unreadable } from './envelope.js';
import { LIMITS, MAX_PAYLOAD_BYTES } from './limits.js';

/** RFC 9054 §2.1. */
const SHA_256 = -16;
const THUMBPRINT_BYTES = 32;
const THUMBPRINT_CHARACTERS = 43;

/** @throws DomainError `request.malformed`, `request.too_large` */
export function readCose(bytes: Uint8Array): Envelope | Unreadable {
  const cose = parseCoseSign1(bytes, LIMITS.maxBytes);
  const value = decodeCbor(cose.payload, LIMITS);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return unreadable('payload: a map is required', null);
  }
  const claims = claimsOf(value as Record<string, unknown>);
  if (claims.batchOf === undefined && cose.payload.length > MAX_PAYLOAD_BYTES) {
    return unreadable(`payload: more than ${MAX_PAYLOAD_BYTES} bytes`, claims.seq);
  }
  const kid = namedKey(cose);
  if (kid === 'unfit') return unreadable('kid, x5t: not the SHA-256 thumbprint of one certificate', claims.seq);
  return { format: 'cose', ...claims, kid, cose, value, bytes };
}

function claimsOf({ typ, device_id, seq, records }: Record<string, unknown>): Omit<Claims, 'kid'> {
  const isBatch = typ === JCS_TYP.telemetryBatch;
  return {
    deviceId: typeof device_id === 'string' ? device_id : undefined,
    seq: claimedSeq(seq),
    batchOf: isBatch ? (Array.isArray(records) ? records.length : 0) : undefined,
  };
}

/** `kid` and `x5t` name the same certificate where both are there; protected or not, since what they name is checked for itself. */
export function namedKey(cose: CoseSign1): Thumbprint | undefined | 'unfit' {
  const kid = header(cose, COSE_HEADER.kid);
  const x5t = header(cose, COSE_HEADER.x5t);
  if (kid === undefined && x5t === undefined) return undefined;
  const names = [kid === undefined ? undefined : fromKid(kid), x5t === undefined ? undefined : fromX5t(x5t)];
  const [first, ...others] = names.filter((name) => name !== undefined);
  return first !== undefined && others.every((name) => name === first) ? first : 'unfit';
}

function header({ protectedHeaders, unprotectedHeaders }: CoseSign1, label: number): CborItem {
  return protectedHeaders.get(label) ?? unprotectedHeaders.get(label);
}

/** The 32 bytes themselves, or their base64url as the other formats have it. */
function fromKid(kid: CborItem): Thumbprint | 'unfit' {
  if (!(kid instanceof Uint8Array)) return 'unfit';
  if (kid.length === THUMBPRINT_BYTES) return Thumbprint.parse(Buffer.from(kid).toString('base64url'));
  if (kid.length !== THUMBPRINT_CHARACTERS) return 'unfit';
  return Thumbprint.safeParse(Buffer.from(kid).toString('latin1')).data ?? 'unfit';
}

/** RFC 9360 §2: [hash algorithm, hash of the DER certificate]. */
function fromX5t(x5t: CborItem): Thumbprint | 'unfit' {
  if (!Array.isArray(x5t) || x5t.length !== 2 || x5t[0] !== SHA_256) return 'unfit';
  return x5t[1] instanceof Uint8Array && x5t[1].length === THUMBPRINT_BYTES ? fromKid(x5t[1]) : 'unfit';
}
