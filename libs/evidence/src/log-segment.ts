/** What a kept segment and a kept delivery of a vehicle's offline log say, and whether their signatures hold; believed by nobody before. */
import { canonicalize, decodeCbor, jcsOfSlice, parseCoseSign1 } from '@outrider/canonicalization';
import { decodeSignature, JCS_TYP, sha256Hex, type VerificationKey, verifySignature } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { z } from 'zod';
import { LIMITS, scan } from './scan.js';
import { verifyCose } from './verify-envelope.js';

const DIGEST_BYTES = 32;
const Hex = z.string().regex(/^[0-9a-f]{64}$/);

/** A segment as kept. `head`: as received (cose: the whole COSE_Sign1). `digests`: of its records, 32 bytes each; null for a head alone. */
export interface EvidenceSegment {
  readonly segment: number;
  readonly log: string;
  readonly format: 'json' | 'cose';
  readonly head: Uint8Array;
  /** Null where it is inside `head`. */
  readonly signature: string | null;
  readonly digests: Uint8Array | null;
}

/** What a vehicle signed when it handed in segments of a log for a fetch order. `bytes`: the JCS of it. */
export interface EvidenceDelivery {
  readonly orderId: string;
  readonly log: string;
  readonly bytes: Uint8Array;
  readonly signature: string;
}

/** docs/protocols/offline-log.md. `records`: SHA-256 over the digests; `previous`: of the JCS of the head before; `ts`: seconds. */
const LogHead = z.strictObject({
  typ: z.literal(JCS_TYP.logSegment),
  device_id: z.string(),
  log: z.string(),
  segment: z.int(),
  previous: Hex.nullable(),
  stream: z.string(),
  epoch: z.int(),
  seq: z.int(),
  count: z.int(),
  records: Hex,
  ts: z.number(),
});
export type LogHead = z.output<typeof LogHead>;

const LogDelivery = z.strictObject({
  typ: z.literal(JCS_TYP.logDelivery),
  device_id: z.string(),
  order: z.string(),
  nonce: z.string(),
  log: z.string(),
  first: z.int(),
  last: z.int(),
  head: Hex,
});
export type LogDelivery = z.output<typeof LogDelivery>;

/** `sha256`: hex, of the head's JCS, whatever format carried it: what the next head names. */
export interface ReadHead {
  readonly head: LogHead;
  readonly sha256: string;
  isSignedBy(key: VerificationKey): boolean;
}

/** Undefined for bytes that are no head. */
export function readLogHead({ format, head: bytes, signature }: EvidenceSegment): ReadHead | undefined {
  return unlessUnreadable(() => (format === 'cose' ? coseHead(bytes) : jsonHead(bytes, signature)));
}

/** Undefined for bytes that are no delivery. */
export function readLogDelivery({ bytes, signature }: EvidenceDelivery) {
  return unlessUnreadable(() => {
    const node = scan(bytes);
    const delivery = LogDelivery.safeParse(node.value()).data;
    return delivery && { delivery, isSignedBy: (key: VerificationKey) => holds(key, jcsOfSlice(node), signature) };
  });
}

/** Hex, a record each; undefined unless they are together what the head names, one for each number. */
export function digestsOf({ head }: ReadHead, digests: Uint8Array): readonly string[] | undefined {
  if (digests.length !== head.count * DIGEST_BYTES || sha256Hex(digests) !== head.records) return undefined;
  const hex = Buffer.from(digests).toString('hex');
  return Array.from({ length: head.count }, (_, index) =>
    hex.slice(index * DIGEST_BYTES * 2, (index + 1) * DIGEST_BYTES * 2),
  );
}

function jsonHead(bytes: Uint8Array, signature: string | null): ReadHead | undefined {
  const node = scan(bytes);
  const head = LogHead.safeParse(node.value()).data;
  const signed = jcsOfSlice(node);
  return head && { head, sha256: sha256Hex(signed), isSignedBy: (key) => holds(key, signed, signature) };
}

function coseHead(bytes: Uint8Array): ReadHead | undefined {
  const value = decodeCbor(parseCoseSign1(bytes, LIMITS.maxBytes).payload, LIMITS);
  const head = LogHead.safeParse(value).data;
  const isSignedBy = (key: VerificationKey) => verifyCose(bytes, key, 'logSegment') !== undefined;
  return head && { head, sha256: sha256Hex(canonicalize(value)), isSignedBy };
}

function holds(key: VerificationKey, signed: Uint8Array, signature: string | null): boolean {
  const decoded = signature === null ? undefined : decodeSignature(signature, key.algorithm);
  return decoded !== undefined && verifySignature(key, signed, decoded);
}

function unlessUnreadable<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}
