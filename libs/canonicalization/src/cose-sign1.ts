/** COSE_Sign1 (RFC 9052 §4.2): its parts as they came, the bytes that are signed, and how one is put together. Nothing is verified here. */
import { type CborItem, CborTagged, open } from './cbor-decode.js';
import { cborHead, encodeCbor } from './cbor-encode.js';
import { readBytes, readItem, readMap } from './cbor-items.js';
import { type CborReader, MAJOR } from './cbor-reader.js';

export const COSE_SIGN1_TAG = 18;

/** Labels of headers (RFC 9052 §3.1, RFC 9360 §2). */
export const COSE_HEADER = { algorithm: 1, critical: 2, contentType: 3, kid: 4, x5chain: 33, x5t: 34 } as const;

export type CoseHeaders = ReadonlyMap<number | string, CborItem>;

/** Attacker-controlled until its signature has been verified; all bytes are views into what was parsed. */
export interface CoseSign1 {
  readonly tagged: boolean;
  /** The content of the protected headers' byte string, as it came: what is signed. */
  readonly protectedBytes: Uint8Array;
  readonly protectedHeaders: CoseHeaders;
  readonly unprotectedHeaders: CoseHeaders;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** Arrays and maps inside a header. */
const HEADER_DEPTH = 4;

/**
 * One COSE_Sign1, tagged (18) or not, with its payload inside, and nothing after it. Lengths are definite and shortest; headers may stand
 * in any order, no label twice, not in both maps (RFC 9052 §3).
 * @throws DomainError `request.too_large` over maxBytes; `request.malformed` with the byte offset
 */
export function parseCoseSign1(bytes: Uint8Array, maxBytes: number): CoseSign1 {
  const reader = open(bytes, { maxBytes, maxDepth: HEADER_DEPTH });
  const tagged = enterArray(reader);
  const protectedBytes = part(reader, 'the protected headers');
  const protectedHeaders = readProtected(protectedBytes, reader);
  reader.head();
  if (reader.major !== MAJOR.map) throw reader.malformed('COSE_Sign1: the unprotected headers are no map');
  const unprotectedHeaders = readMap(reader, HEADER_DEPTH);
  for (const label of unprotectedHeaders.keys()) {
    if (protectedHeaders.has(label)) throw reader.malformed('COSE_Sign1: a header is in both maps');
  }
  const payload = part(reader, 'the payload');
  const signature = part(reader, 'the signature');
  if (!reader.done) throw reader.malformed('something follows the COSE_Sign1');
  return { tagged, protectedBytes, protectedHeaders, unprotectedHeaders, payload, signature };
}

/** The Sig_structure (RFC 9052 §4.4); no protected headers are signed as an empty byte string, however they were sent. */
export function coseToBeSigned(
  { protectedBytes, protectedHeaders, payload }: Pick<CoseSign1, 'protectedBytes' | 'protectedHeaders' | 'payload'>,
  externalAad: Uint8Array,
): Buffer {
  const protectedPart = protectedHeaders.size === 0 ? EMPTY : protectedBytes;
  return Buffer.concat([
    SIGNATURE1,
    cborHead(MAJOR.bytes, protectedPart.length),
    protectedPart,
    cborHead(MAJOR.bytes, externalAad.length),
    externalAad,
    cborHead(MAJOR.bytes, payload.length),
    payload,
  ]);
}

/** The bytes of a COSE_Sign1 of these parts. */
export function encodeCoseSign1({
  tagged,
  protectedBytes,
  unprotectedHeaders,
  payload,
  signature,
}: Omit<CoseSign1, 'protectedHeaders'>): Buffer {
  const message = [protectedBytes, unprotectedHeaders, payload, signature];
  return encodeCbor(tagged ? new CborTagged(COSE_SIGN1_TAG, message) : message);
}

const EMPTY = Buffer.alloc(0);
const SIGNATURE1 = Buffer.concat([cborHead(MAJOR.array, 4), encodeCbor('Signature1')]);

/** Reads up to the first of the four parts; true when there was the tag. */
function enterArray(reader: CborReader): boolean {
  reader.head();
  const tagged = reader.major === MAJOR.tag;
  if (tagged) {
    if (reader.argument !== COSE_SIGN1_TAG) throw reader.malformed('a tag that is not COSE_Sign1 (18)', 0);
    reader.head();
  }
  if (reader.major !== MAJOR.array || reader.argument !== 4) throw reader.malformed('no COSE_Sign1: an array of four');
  return tagged;
}

function part(reader: CborReader, what: string): Uint8Array {
  reader.head();
  if (reader.major !== MAJOR.bytes) throw reader.malformed(`COSE_Sign1: ${what} is no byte string`);
  return readBytes(reader);
}

function readProtected(bytes: Uint8Array, outer: CborReader): CoseHeaders {
  if (bytes.length === 0) return new Map();
  const reader = open(bytes, { maxBytes: bytes.length, maxDepth: HEADER_DEPTH });
  const headers = readItem(reader, HEADER_DEPTH + 1);
  if (!(headers instanceof Map) || !reader.done) throw outer.malformed('COSE_Sign1: the protected headers are no map');
  return headers as CoseHeaders;
}
