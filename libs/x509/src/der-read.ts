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
  const { node, end } = readElement(bytes, 0, 0);
  if (end !== bytes.length) throw malformed('bytes follow the outermost element');
  return node;
}

function readElement(bytes: Uint8Array, start: number, depth: number): { node: DerNode; end: number } {
  if (depth > MAX_DEPTH) throw malformed('nested too deeply');
  const tag = byteAt(bytes, start);
  if ((tag & 0x1f) === 0x1f) throw malformed('a tag number above 30');
  const { length, contentStart } = readLength(bytes, start + 1);
  const end = contentStart + length;
  if (end > bytes.length) throw malformed('an element is longer than what holds it');
  const content = bytes.subarray(contentStart, end);
  const constructed = (tag & 0x20) !== 0;
  if ((tag & 0xc0) === 0) checkUniversal(tag, content);
  const children = constructed ? readChildren(content, depth + 1) : NO_CHILDREN;
  return { node: { tag, der: bytes.subarray(start, end), content, children }, end };
}

function readChildren(content: Uint8Array, depth: number): DerNode[] {
  const children: DerNode[] = [];
  for (let offset = 0; offset < content.length; ) {
    const { node, end } = readElement(content, offset, depth);
    children.push(node);
    offset = end;
  }
  return children;
}

function readLength(bytes: Uint8Array, offset: number): { length: number; contentStart: number } {
  const first = byteAt(bytes, offset);
  if (first < 0x80) return { length: first, contentStart: offset + 1 };
  const count = first & 0x7f;
  if (count === 0) throw malformed('an indefinite length');
  if (count > 4) throw malformed('a length of more than four bytes');
  let length = 0;
  for (let i = 1; i <= count; i += 1) length = length * 256 + byteAt(bytes, offset + i);
  const minimal = count === 1 ? length >= 0x80 : length >= 256 ** (count - 1);
  if (!minimal) throw malformed('a length in more bytes than it needs');
  return { length, contentStart: offset + 1 + count };
}

function byteAt(bytes: Uint8Array, offset: number): number {
  const byte = bytes[offset];
  if (byte === undefined) throw malformed('cut short');
  return byte;
}

function checkUniversal(tag: number, content: Uint8Array): void {
  switch (tag) {
    case TAG.sequence:
    case TAG.set:
      return;
    case TAG.boolean:
      if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw malformed('a BOOLEAN not 00 or FF');
      return;
    case TAG.integer:
    case TAG.enumerated:
      checkInteger(content);
      return;
    case TAG.bitString:
      checkBitString(content);
      return;
    case TAG.null:
      if (content.length !== 0) throw malformed('a NULL with content');
      return;
    case TAG.oid:
      checkOid(content);
      return;
    default:
      if ((tag & 0x20) !== 0) throw malformed(`constructed form of universal tag ${tag & 0x1f}`);
      if (tag === 0) throw malformed('an end-of-contents tag');
  }
}

function checkInteger(content: Uint8Array): void {
  const [first, second] = content;
  if (first === undefined) throw malformed('an empty INTEGER');
  if (second === undefined) return;
  if ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)) throw malformed('an INTEGER with padding');
}

function checkBitString(content: Uint8Array): void {
  const unused = content[0];
  if (unused === undefined || unused > 7) throw malformed('a BIT STRING without its unused-bits count');
  if (unused === 0) return;
  const last = content[content.length - 1] ?? 0;
  if (content.length < 2 || (last & ((1 << unused) - 1)) !== 0) throw malformed('a BIT STRING with unused bits set');
}

function checkOid(content: Uint8Array): void {
  if (content.length === 0 || content.length > 64) throw malformed('an OBJECT IDENTIFIER of no sensible length');
  let atArcStart = true;
  for (const byte of content) {
    if (atArcStart && byte === 0x80) throw malformed('an OBJECT IDENTIFIER with padding');
    atArcStart = byte < 0x80;
  }
  if (!atArcStart) throw malformed('an OBJECT IDENTIFIER cut short');
}
