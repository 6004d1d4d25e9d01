/** Strict, bounded DER reading (X.690 §10, §11): what is not the one canonical encoding is refused as `x509.malformed`. */
import { DomainError } from '@outrider/errors';

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
} as const;

/** One tag-length-value. `tag` is the identifier octet; `der` the whole element; `children` is empty for a primitive one. */
export interface DerNode {
  readonly tag: number;
  readonly der: Uint8Array;
  readonly content: Uint8Array;
  readonly children: readonly DerNode[];
}

const MAX_DEPTH = 16;
const NO_CHILDREN: readonly DerNode[] = Object.freeze([]);

export function malformed(detail: string, cause?: unknown): DomainError {
  return new DomainError('x509.malformed', { detail, ...(cause === undefined ? {} : { cause }) });
}

/**
 * Reads exactly one DER element that fills `bytes`.
 * @throws DomainError `x509.malformed` for BER forms, trailing bytes, nesting beyond 16 or ill-formed primitive values.
 * The caller bounds `bytes`; time and memory are linear in it.
 */
export function readDer(bytes: Uint8Array): DerNode {
  const node = readElement(bytes, 0, bytes.length, 0);
  if (node.end !== bytes.length) throw malformed('bytes follow the outermost element');
  return node;
}

/** Where an element lies. Views of its bytes are made when asked for: most elements are only walked through. */
class DerElement implements DerNode {
  constructor(
    readonly tag: number,
    readonly children: readonly DerNode[],
    private readonly bytes: Uint8Array,
    private readonly start: number,
    private readonly contentStart: number,
    readonly end: number,
  ) {}

  get der(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }

  get content(): Uint8Array {
    return this.bytes.subarray(this.contentStart, this.end);
  }
}

/** @param limit the end of what holds the element. */
function readElement(bytes: Uint8Array, start: number, limit: number, depth: number): DerElement {
  if (depth > MAX_DEPTH) throw malformed('nested too deeply');
  const tag = byteAt(bytes, start, limit);
  if ((tag & 0x1f) === 0x1f) throw malformed('a tag number above 30');
  const lengthOctets = lengthOctetsAt(bytes, start + 1, limit);
  const contentStart = start + 1 + lengthOctets;
  const end = contentStart + lengthAt(bytes, start + 1, lengthOctets);
  if (end > limit) throw malformed('an element is longer than what holds it');
  if ((tag & 0xc0) === 0) checkUniversal(tag, bytes, contentStart, end);
  const children = (tag & 0x20) === 0 ? NO_CHILDREN : readChildren(bytes, contentStart, end, depth + 1);
  return new DerElement(tag, children, bytes, start, contentStart, end);
}

function readChildren(bytes: Uint8Array, start: number, end: number, depth: number): DerNode[] {
  const children: DerNode[] = [];
  for (let offset = start; offset < end; ) {
    const node = readElement(bytes, offset, end, depth);
    children.push(node);
    offset = node.end;
  }
  return children;
}

/** How many octets say the length (X.690 §8.1.3): one, or one and those it counts. */
function lengthOctetsAt(bytes: Uint8Array, offset: number, limit: number): number {
  const first = byteAt(bytes, offset, limit);
  if (first < 0x80) return 1;
  const count = first & 0x7f;
  if (count === 0) throw malformed('an indefinite length');
  if (count > 4) throw malformed('a length of more than four bytes');
  if (offset + count >= limit) throw malformed('cut short');
  return 1 + count;
}

function lengthAt(bytes: Uint8Array, offset: number, octets: number): number {
  if (octets === 1) return bytes[offset] as number;
  let length = 0;
  for (let i = 1; i < octets; i += 1) length = length * 256 + (bytes[offset + i] as number);
  const minimal = octets === 2 ? length >= 0x80 : length >= 256 ** (octets - 2);
  if (!minimal) throw malformed('a length in more bytes than it needs');
  return length;
}

function byteAt(bytes: Uint8Array, offset: number, limit: number): number {
  if (offset >= limit) throw malformed('cut short');
  return bytes[offset] as number;
}

function checkUniversal(tag: number, bytes: Uint8Array, start: number, end: number): void {
  const length = end - start;
  switch (tag) {
    case TAG.sequence:
    case TAG.set:
      return;
    case TAG.boolean:
      if (length !== 1 || (bytes[start] !== 0 && bytes[start] !== 0xff)) throw malformed('a BOOLEAN not 00 or FF');
      return;
    case TAG.integer:
    case TAG.enumerated:
      checkInteger(bytes, start, length);
      return;
    case TAG.bitString:
      checkBitString(bytes, start, end);
      return;
    case TAG.null:
      if (length !== 0) throw malformed('a NULL with content');
      return;
    case TAG.oid:
      checkOid(bytes, start, end);
      return;
    default:
      if ((tag & 0x20) !== 0) throw malformed(`constructed form of universal tag ${tag & 0x1f}`);
      if (tag === 0) throw malformed('an end-of-contents tag');
  }
}

function checkInteger(bytes: Uint8Array, start: number, length: number): void {
  if (length === 0) throw malformed('an empty INTEGER');
  if (length === 1) return;
  const [first, second] = [bytes[start] as number, bytes[start + 1] as number];
  if ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)) throw malformed('an INTEGER with padding');
}

function checkBitString(bytes: Uint8Array, start: number, end: number): void {
  const unused = start < end ? (bytes[start] as number) : undefined;
  if (unused === undefined || unused > 7) throw malformed('a BIT STRING without its unused-bits count');
  if (unused === 0) return;
  const last = bytes[end - 1] as number;
  if (end - start < 2 || (last & ((1 << unused) - 1)) !== 0) throw malformed('a BIT STRING with unused bits set');
}

function checkOid(bytes: Uint8Array, start: number, end: number): void {
  if (start === end || end - start > 64) throw malformed('an OBJECT IDENTIFIER of no sensible length');
  let atArcStart = true;
  for (let offset = start; offset < end; offset += 1) {
    const byte = bytes[offset] as number;
    if (atArcStart && byte === 0x80) throw malformed('an OBJECT IDENTIFIER with padding');
    atArcStart = byte < 0x80;
  }
  if (!atArcStart) throw malformed('an OBJECT IDENTIFIER cut short');
}
