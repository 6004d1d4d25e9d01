/** Reads one segment of a vehicle's log: the signed head, and the records that it vouches for. */
import {
  canonicalize,
  cborSequence,
  decodeCbor,
  type JsonNode,
  jcsOfSlice,
  parseCoseSign1,
  type ScanLimits,
  scanJson,
} from '@outrider/canonicalization';
import {
  COSE_EXTERNAL_AAD,
  decodeSignature,
  JCS_TYP,
  sha256Hex,
  type VerificationKey,
  verifyCoseSign1,
  verifySignature,
} from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { DeviceId, Epoch, SequenceNumber, StreamName, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { namedKey } from '../ingest/cose-envelope.js';
import { MAX_PAYLOAD_BYTES } from '../ingest/limits.js';

/** Of one segment as sent. */
export const MAX_SEGMENT_BYTES = 1_048_576;
export const MAX_SEGMENT_RECORDS = 1_000;
/** Of one head as received, which is stored for good. */
const MAX_HEAD_BYTES = 8_192;

const LIMITS: ScanLimits = { maxBytes: MAX_SEGMENT_BYTES, maxDepth: 34 };
const MAX_SIGNATURE_CHARACTERS = 208;
const MAX_TS = 253_402_300_799;

export const Sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
export const LogName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

/**
 * The head of a segment. `log`: the vehicle's name for this chain, a new one when its state was lost. `segment`: 1 for the first, then one
 * more each. `previous`: hex SHA-256 of the JCS of the head before it, null for the first. It covers the numbers `seq` to
 * `seq + count - 1` of one stream and epoch; `records`: hex SHA-256 over their canonical digests, 32 bytes each, in order. `ts`: when it
 * was sealed, seconds by the vehicle's clock.
 */
export const SegmentHead = z
  .strictObject({
    typ: z.literal(JCS_TYP.logSegment),
    device_id: DeviceId,
    log: LogName,
    segment: z.int().min(1),
    previous: Sha256Hex.nullable(),
    stream: StreamName,
    epoch: Epoch,
    seq: SequenceNumber,
    count: z.int().min(1).max(MAX_SEGMENT_RECORDS),
    records: Sha256Hex,
    ts: z.number().min(0).max(MAX_TS),
  })
  .refine(({ seq, count }) => Number.isSafeInteger(seq + count - 1), 'seq and count go beyond 2^53-1')
  .refine(({ segment, previous }) => (segment === 1) === (previous === null), 'previous is null in segment 1 alone');
export type SegmentHead = z.output<typeof SegmentHead>;

export type HeadFormat = 'json' | 'cose';

/** A head with the signature over it, nothing of it believed before `isSignedBy` says so. */
export interface SignedHead {
  readonly format: HeadFormat;
  readonly head: SegmentHead;
  /** Hex SHA-256 of the head's JCS, whatever format carried it: what the next head names. */
  readonly sha256: string;
  /** As received: what is stored. cose: the whole COSE_Sign1. */
  readonly bytes: Uint8Array;
  /** As received; null where it is inside `bytes`. */
  readonly signature: string | null;
  readonly kid: Thumbprint | undefined;
  isSignedBy(key: VerificationKey): boolean;
}

/** A record as sent. `raw`: its JSON text as received, or the projection of its CBOR. */
export interface SegmentRecord {
  readonly raw: Uint8Array;
  value(): unknown;
}

/** `records`: undefined for a head alone. `digests`: the list that `head.records` was made of, where the sender gave it. */
export interface Segment extends SignedHead {
  readonly records: readonly SegmentRecord[] | undefined;
  readonly digests: readonly string[] | undefined;
}

/** JSON, or COSE: told apart by the first byte, which begins no value of the other. @throws DomainError `telemetry.log_malformed`, `request.too_large` */
export function readSegment(bytes: Uint8Array): Segment {
  if (isCbor(bytes)) return readCoseSegment(bytes);
  const node = scan(bytes);
  const signed = readHead(node, ['records', 'digests']);
  const records = node.member('records');
  if (records && records.kind !== 'array') throw malformed('records: an array is required');
  const elements = records?.elements();
  if (elements && elements.length > MAX_SEGMENT_RECORDS) throw malformed(`more than ${MAX_SEGMENT_RECORDS} records`);
  if (elements?.some(({ start, end }) => end - start > MAX_PAYLOAD_BYTES)) {
    throw malformed(`a record of more than ${MAX_PAYLOAD_BYTES} bytes`);
  }
  return { ...signed, records: elements, digests: readDigests(node.member('digests')) };
}

/** A head sent by itself. @throws DomainError `telemetry.log_malformed`, `request.too_large` */
export function readSignedHead(bytes: Uint8Array): SignedHead {
  requireHeadSize(bytes);
  if (!isCbor(bytes)) return readHead(scan(bytes), []);
  const { records, ...head } = readCoseSegment(bytes);
  if (records) throw malformed('a head alone is required');
  return head;
}

/** Hex SHA-256 over the digests' bytes, one after the other. */
export function recordsDigest(digests: readonly string[]): string {
  return sha256Hex(Buffer.from(digests.join(''), 'hex'));
}

function readHead(node: JsonNode, more: readonly string[]): SignedHead {
  const members = new Set(['head', 'signature', 'kid', ...more]);
  if (node.kind !== 'object' || node.members().some(({ name }) => !members.has(name))) {
    throw malformed(`an object with ${[...members].join(', ')} is required`);
  }
  const head = node.member('head');
  if (head?.kind !== 'object') throw malformed('head: an object is required');
  requireHeadSize(head.raw);
  const parsed = parseHead(head.value());
  const signature = node.member('signature')?.string();
  if (signature === undefined || signature.length > MAX_SIGNATURE_CHARACTERS) throw malformed('signature: is required');
  const kid = node.member('kid');
  const thumbprint = kid && Thumbprint.safeParse(kid.string());
  if (thumbprint && !thumbprint.success) throw malformed('kid: not a thumbprint (x5t#S256)');
  const signed = jcsOfSlice(head);
  return {
    format: 'json',
    head: parsed,
    sha256: sha256Hex(signed),
    bytes: head.raw,
    signature,
    kid: thumbprint?.data,
    isSignedBy: (key) => {
      const bytes = decodeSignature(signature, key.algorithm);
      return bytes !== undefined && verifySignature(key, signed, bytes);
    },
  };
}

/** A CBOR sequence (RFC 8742): the head as COSE_Sign1, then the array of records, unless the head comes alone. */
function readCoseSegment(bytes: Uint8Array): Segment {
  try {
    const [signed, list, more] = cborSequence(bytes, LIMITS, 2);
    if (!signed || more) throw malformed('a COSE_Sign1 and an array of records are required');
    requireHeadSize(signed);
    const cose = parseCoseSign1(signed, MAX_HEAD_BYTES);
    const value = decodeCbor(cose.payload, LIMITS);
    const kid = namedKey(cose);
    if (kid === 'unfit') throw malformed('kid, x5t: not the SHA-256 thumbprint of one certificate');
    return {
      format: 'cose',
      head: parseHead(value),
      sha256: sha256Hex(canonicalize(value)),
      bytes: signed,
      signature: null,
      kid,
      isSignedBy: (key) => verifyCoseSign1(cose, key, { externalAad: COSE_EXTERNAL_AAD.logSegment }).ok,
      records: list && readCborRecords(list),
      digests: undefined,
    };
  } catch (error) {
    throw asMalformed(error);
  }
}

function readCborRecords(list: Uint8Array): SegmentRecord[] {
  const values = decodeCbor(list, LIMITS);
  if (!Array.isArray(values)) throw malformed('records: an array is required');
  if (values.length > MAX_SEGMENT_RECORDS) throw malformed(`more than ${MAX_SEGMENT_RECORDS} records`);
  return values.map((value: unknown) => {
    const raw = Buffer.from(canonicalize(value));
    if (raw.length > MAX_PAYLOAD_BYTES) throw malformed(`a record of more than ${MAX_PAYLOAD_BYTES} bytes`);
    return { raw, value: () => value };
  });
}

/** No JSON text begins with a byte of these major types: array (untagged COSE_Sign1) and tag. */
function isCbor(bytes: Uint8Array): boolean {
  return (bytes[0] ?? 0) >= 0x80;
}

function requireHeadSize({ length }: Uint8Array): void {
  if (length > MAX_HEAD_BYTES) throw malformed(`head: more than ${MAX_HEAD_BYTES} bytes`);
}

function parseHead(value: unknown): SegmentHead {
  const parsed = SegmentHead.safeParse(value);
  if (!parsed.success) throw malformed(`head.${first(parsed.error)}`, parsed.error);
  return parsed.data;
}

function asMalformed(error: unknown): unknown {
  if (!(error instanceof DomainError) || error.code !== 'request.malformed') return error;
  return malformed(error.detail ?? 'unreadable', error);
}

function readDigests(node: JsonNode | undefined): string[] | undefined {
  if (!node) return undefined;
  const parsed = z.array(Sha256Hex).max(MAX_SEGMENT_RECORDS).safeParse(node.value());
  if (!parsed.success) throw malformed(`digests: ${first(parsed.error)}`, parsed.error);
  return parsed.data;
}

function scan(bytes: Uint8Array): JsonNode {
  try {
    return scanJson(bytes, LIMITS).root;
  } catch (error) {
    throw asMalformed(error);
  }
}

function first(error: z.ZodError): string {
  const [issue] = error.issues;
  return `${issue?.path.join('.') || 'it'}: ${issue?.message}`;
}

function malformed(detail: string, cause?: unknown): DomainError {
  return new DomainError('telemetry.log_malformed', { detail, cause });
}
