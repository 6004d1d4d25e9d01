/** Decodes untrusted CBOR: strict and bounded, in JSON's data model for messages, in CBOR's own for the headers of COSE. */
import { isUtf8 } from 'node:buffer';
import { DomainError } from '@outrider/errors';
import { MAX_DEPTH } from './canonicalize.js';
import { fitsSingle, halfBits, readHalf } from './cbor-float.js';
import { CborReader, MAJOR } from './cbor-reader.js';
import { asBuffer } from './json-node.js';

/** `maxBytes`: of the whole. `maxDepth`: containers inside containers, at most 512. */
export interface CborLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
}

/** A tagged item (RFC 8949 §3.4), in a header only. */
export class CborTagged {
  constructor(
    readonly tag: number,
    readonly value: CborItem,
  ) {}
}

/** CBOR's data model as headers use it: maps are Maps, byte strings are views into the input. */
export type CborItem =
  | null
  | undefined
  | boolean
  | number
  | string
  | Uint8Array
  | CborTagged
  | readonly CborItem[]
  | ReadonlyMap<number | string, CborItem>;

const FALSE = 20;
const TRUE = 21;
const NULL = 22;
const UNDEFINED = 23;
const HALF = 25;
const SINGLE = 26;
const DOUBLE = 27;

/**
 * One item of deterministic CBOR (RFC 8949 §4.2.1) within JSON's data model: integers within ±(2^53-1), finite floats in their shortest
 * form, text, booleans, null, arrays, and maps with text keys in order. What passes is the value of exactly one JSON text in JCS.
 * @throws DomainError `request.too_large` over maxBytes; `request.malformed` (with the byte offset) for anything else: byte strings, tags,
 * undefined, NaN, other lengths and orders, keys given twice, bad UTF-8, bytes that follow, nesting beyond maxDepth.
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits): unknown {
  const reader = open(bytes, limits);
  const value = new JsonDecoder(reader, limits.maxDepth).value(0);
  if (!reader.done) throw reader.malformed('something follows the value');
  return value;
}

/** Checks the size before anything else. */
export function open(bytes: Uint8Array, { maxBytes, maxDepth }: CborLimits): CborReader {
  if (maxDepth > MAX_DEPTH) throw new RangeError(`CBOR: maxDepth is at most ${MAX_DEPTH}`);
  if (bytes.length > maxBytes)
    throw new DomainError('request.too_large', { detail: `more than ${maxBytes} bytes of CBOR` });
  return new CborReader(asBuffer(bytes));
}

class JsonDecoder {
  constructor(
    private readonly reader: CborReader,
    private readonly maxDepth: number,
  ) {}

  value(depth: number): unknown {
    const { reader } = this;
    reader.head();
    switch (reader.major) {
      case MAJOR.text:
        return readText(reader);
      case MAJOR.array:
        return this.array(this.deeper(depth));
      case MAJOR.map:
        return this.map(this.deeper(depth));
      case MAJOR.bytes:
        throw reader.malformed('a byte string, which JSON does not have');
      case MAJOR.tag:
        throw reader.malformed('a tag, which JSON does not have');
      case MAJOR.simple:
        return this.simple();
      default:
        return readInteger(reader);
    }
  }

  private deeper(depth: number): number {
    if (depth >= this.maxDepth) throw this.reader.malformed(`nesting deeper than ${this.maxDepth}`);
    return depth + 1;
  }

  private array(depth: number): unknown[] {
    const count = this.reader.length();
    const elements: unknown[] = [];
    for (let index = 0; index < count; index++) elements.push(this.value(depth));
    return elements;
  }

  private map(depth: number): Record<string, unknown> {
    const { reader } = this;
    const count = reader.length(2);
    const members: Record<string, unknown> = {};
    let previous = -1;
    let previousEnd = -1;
    for (let index = 0; index < count; index++) {
      const start = reader.at;
      reader.head();
      if (reader.major !== MAJOR.text) throw reader.malformed('a name that is no text', start);
      const name = readText(reader);
      if (previous >= 0) checkOrder(reader, previous, previousEnd, start);
      previous = start;
      previousEnd = reader.at;
      setOwn(members, name, this.value(depth));
    }
    return members;
  }

  private simple(): unknown {
    const value = readSimple(this.reader);
    if (value === undefined) throw this.reader.malformed('undefined, which JSON does not have');
    if (typeof value === 'number' && !Number.isFinite(value))
      throw this.reader.malformed('a number that is not finite');
    return value;
  }
}

/** Keys ascend by their encoded bytes (RFC 8949 §4.2.1). The previous key ends at `end`, this one at the reader's place. */
function checkOrder(reader: CborReader, previous: number, end: number, start: number): void {
  const { bytes } = reader;
  const length = Math.min(end - previous, reader.at - start);
  for (let index = 0; index < length; index++) {
    const difference = bytes[start + index]! - bytes[previous + index]!;
    if (difference > 0) return;
    if (difference < 0) throw reader.malformed('a name out of order', start);
  }
  throw reader.malformed('a name given twice', start);
}

/** `__proto__` becomes an own property and nothing else, as JSON.parse has it. */
function setOwn(members: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
  } else members[name] = value;
}

/** After the head of an integer: within ±(2^53-1), as JSON's numbers are exchanged (RFC 8785 §3.2.2.3). */
export function readInteger(reader: CborReader): number {
  const value = reader.major === MAJOR.negative ? -1 - reader.argument : reader.argument;
  if (!Number.isSafeInteger(value)) throw reader.malformed('an integer beyond 2^53-1');
  return value;
}

/** After the head of a text string. */
export function readText(reader: CborReader): string {
  const start = reader.at;
  const end = start + reader.length();
  const { bytes } = reader;
  reader.at = end;
  let at = start;
  while (at < end && bytes[at]! < 0x80) at++;
  if (at === end) return bytes.toString('latin1', start, end);
  if (!isUtf8(bytes.subarray(start, end))) throw reader.malformed('text that is not UTF-8', start);
  return bytes.toString('utf8', start, end);
}

/** After a head of major type 7: false, true, null, undefined, or a float in its shortest form. */
export function readSimple(reader: CborReader): boolean | null | undefined | number {
  switch (reader.info) {
    case FALSE:
      return false;
    case TRUE:
      return true;
    case NULL:
      return null;
    case UNDEFINED:
      return undefined;
    case HALF:
      return readHalf(reader.argument);
    case SINGLE:
      return shortest(reader, reader.bytes.readFloatBE(reader.at - 4));
    case DOUBLE:
      return shortest(reader, reader.bytes.readDoubleBE(reader.at - 8));
    default:
      throw reader.malformed('an unassigned simple value');
  }
}

/** Of a float of 4 or 8 bytes: it must not fit fewer. Infinities and NaN fit two. */
function shortest(reader: CborReader, value: number): number {
  const fits =
    !Number.isFinite(value) || (reader.info === DOUBLE && fitsSingle(value)) || halfBits(value) !== undefined;
  if (fits) throw reader.malformed('a float longer than it need be');
  return value;
}
