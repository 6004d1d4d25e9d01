/** Writes deterministic CBOR (RFC 8949 §4.2.1): definite and shortest lengths, shortest floats, keys in order of their bytes. */
import { DomainError } from '@outrider/errors';
import { isPlainObject, MAX_DEPTH } from './canonicalize.js';
import { CborTagged } from './cbor-decode.js';
import { fitsSingle, halfBits } from './cbor-float.js';
import { MAJOR } from './cbor-reader.js';

/**
 * One item. Numbers that are whole and within ±(2^53-1) become integers (so does -0), others floats. Plain objects and Maps become maps,
 * Uint8Arrays byte strings. What is JSON's comes out as `decodeCbor` takes it.
 * @throws DomainError `request.malformed` for anything else, numbers that are not finite, lone surrogates, and nesting beyond 512
 */
export function encodeCbor(value: unknown): Buffer {
  const parts: Uint8Array[] = [];
  write(value, parts, 0);
  return Buffer.concat(parts);
}

/** The head of an item: for byte strings, arrays and tags that are written around bytes which are there already. */
export function cborHead(major: number, argument: number): Buffer {
  const type = major << 5;
  if (argument < 24) return Buffer.from([type | argument]);
  if (argument < 0x100) return Buffer.from([type | 24, argument]);
  if (argument < 0x1_0000) return Buffer.from([type | 25, argument >> 8, argument & 255]);
  const head = Buffer.alloc(argument < 0x1_0000_0000 ? 5 : 9);
  head[0] = type | (head.length === 5 ? 26 : 27);
  if (head.length === 5) head.writeUInt32BE(argument, 1);
  else head.writeBigUInt64BE(BigInt(argument), 1);
  return head;
}

function write(value: unknown, parts: Uint8Array[], depth: number): void {
  if (depth > MAX_DEPTH) throw refused(`nested deeper than ${MAX_DEPTH}, or a cycle`);
  if (typeof value === 'number') parts.push(number(value));
  else if (typeof value === 'string') text(value, parts);
  else if (value === null) parts.push(Buffer.of(0xf6));
  else if (typeof value === 'boolean') parts.push(Buffer.of(value ? 0xf5 : 0xf4));
  else if (value instanceof Uint8Array) parts.push(cborHead(MAJOR.bytes, value.length), value);
  else if (Array.isArray(value)) array(value, parts, depth);
  else if (value instanceof Map) map([...value], parts, depth);
  else if (value instanceof CborTagged) {
    parts.push(cborHead(MAJOR.tag, value.tag));
    write(value.value, parts, depth + 1);
  } else if (isPlainObject(value)) map(Object.entries(value), parts, depth);
  else throw refused(`a ${typeof value} has no place in CBOR here`);
}

function array(elements: readonly unknown[], parts: Uint8Array[], depth: number): void {
  parts.push(cborHead(MAJOR.array, elements.length));
  for (let index = 0; index < elements.length; index++) write(elements[index], parts, depth + 1);
}

function map(entries: readonly (readonly [unknown, unknown])[], parts: Uint8Array[], depth: number): void {
  const sorted = entries
    .map(([key, value]) => ({ key: encodeKey(key), value }))
    .sort((left, right) => Buffer.compare(left.key, right.key));
  parts.push(cborHead(MAJOR.map, sorted.length));
  for (const { key, value } of sorted) {
    parts.push(key);
    write(value, parts, depth + 1);
  }
}

function encodeKey(key: unknown): Buffer {
  if (typeof key === 'string') {
    const parts: Uint8Array[] = [];
    text(key, parts);
    return Buffer.concat(parts);
  }
  if (Number.isSafeInteger(key)) return number(key as number);
  throw refused('a key is text or an integer');
}

function text(value: string, parts: Uint8Array[]): void {
  if (!value.isWellFormed()) throw refused('a string holds a lone surrogate');
  const bytes = Buffer.from(value, 'utf8');
  parts.push(cborHead(MAJOR.text, bytes.length), bytes);
}

function number(value: number): Buffer {
  if (!Number.isFinite(value)) throw refused('a number is not finite');
  if (Number.isSafeInteger(value)) {
    return value < 0 ? cborHead(MAJOR.negative, -1 - value) : cborHead(MAJOR.unsigned, value);
  }
  const half = halfBits(value);
  if (half !== undefined) return Buffer.from([0xf9, half >> 8, half & 255]);
  const bytes = Buffer.alloc(fitsSingle(value) ? 5 : 9);
  bytes[0] = bytes.length === 5 ? 0xfa : 0xfb;
  if (bytes.length === 5) bytes.writeFloatBE(value, 1);
  else bytes.writeDoubleBE(value, 1);
  return bytes;
}

function refused(detail: string): DomainError {
  return new DomainError('request.malformed', { detail });
}
