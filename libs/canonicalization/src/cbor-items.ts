/** Walks over CBOR items without decoding what is in them: sequences (RFC 8742), slices of containers, and items in CBOR's own data model. */
import { type CborItem, type CborLimits, CborTagged, open, readInteger, readSimple, readText } from './cbor-decode.js';
import { type CborReader, MAJOR } from './cbor-reader.js';

/**
 * The items of a CBOR sequence, as slices of it; `maxItems` of them at most are looked for, so that one more can be told from enough.
 * @throws DomainError `request.too_large` over maxBytes; `request.malformed` where an item is cut short, indefinite, not in its shortest
 * form or nested too deep: what follows it cannot be found then.
 */
export function cborSequence(bytes: Uint8Array, limits: CborLimits, maxItems: number): Uint8Array[] {
  const reader = open(bytes, limits);
  const items: Uint8Array[] = [];
  while (!reader.done && items.length <= maxItems) items.push(slice(reader, limits.maxDepth));
  return items;
}

/**
 * The slice of the value under a text key of a map; undefined when there is none. For bytes that `decodeCbor` took.
 */
export function cborMember(map: Uint8Array, name: string, limits: CborLimits): Uint8Array | undefined {
  const reader = open(map, limits);
  reader.head();
  if (reader.major !== MAJOR.map) return undefined;
  for (let left = reader.length(2); left > 0; left--) {
    const key = reader.head() === MAJOR.text ? readText(reader) : readInteger(reader);
    const value = slice(reader, limits.maxDepth);
    if (key === name) return value;
  }
  return undefined;
}

/** The slices of an array's elements; undefined when it is no array. For bytes that `decodeCbor` took. */
export function cborElements(array: Uint8Array, limits: CborLimits): Uint8Array[] | undefined {
  const reader = open(array, limits);
  reader.head();
  if (reader.major !== MAJOR.array) return undefined;
  return Array.from({ length: reader.length() }, () => slice(reader, limits.maxDepth));
}

/** The bytes of the item at the reader's place, which moves behind it. */
function slice(reader: CborReader, maxDepth: number): Uint8Array {
  const start = reader.at;
  skip(reader, maxDepth);
  return reader.bytes.subarray(start, reader.at);
}

function skip(reader: CborReader, depthLeft: number): void {
  reader.head();
  if (reader.major === MAJOR.bytes || reader.major === MAJOR.text) reader.at += reader.length();
  else if (reader.major >= MAJOR.array && reader.major <= MAJOR.tag) {
    if (depthLeft === 0) throw reader.malformed('nesting too deep');
    const items =
      reader.major === MAJOR.tag ? 1 : reader.major === MAJOR.array ? reader.length() : reader.length(2) * 2;
    for (let left = items; left > 0; left--) skip(reader, depthLeft - 1);
  }
}

/**
 * The item at the reader's place, in CBOR's data model: keys are integers or text, in any order, none twice.
 * @throws DomainError `request.malformed`
 */
export function readItem(reader: CborReader, depthLeft: number): CborItem {
  reader.head();
  switch (reader.major) {
    case MAJOR.unsigned:
    case MAJOR.negative:
      return readInteger(reader);
    case MAJOR.bytes:
      return readBytes(reader);
    case MAJOR.text:
      return readText(reader);
    case MAJOR.simple:
      return readSimple(reader);
    default:
      if (depthLeft === 0) throw reader.malformed('nesting too deep');
      return readContainer(reader, depthLeft - 1);
  }
}

function readContainer(reader: CborReader, depthLeft: number): CborItem {
  if (reader.major === MAJOR.tag) return new CborTagged(reader.argument, readItem(reader, depthLeft));
  if (reader.major === MAJOR.array) return Array.from({ length: reader.length() }, () => readItem(reader, depthLeft));
  return readMap(reader, depthLeft);
}

/** After the head of a byte string; a view. */
export function readBytes(reader: CborReader): Uint8Array {
  const start = reader.at;
  reader.at += reader.length();
  return reader.bytes.subarray(start, reader.at);
}

/** After the head of a map. */
export function readMap(reader: CborReader, depthLeft: number): ReadonlyMap<number | string, CborItem> {
  const map = new Map<number | string, CborItem>();
  for (let left = reader.length(2); left > 0; left--) {
    const start = reader.at;
    const key = readItem(reader, 0);
    if (typeof key !== 'number' && typeof key !== 'string')
      throw reader.malformed('a key that is no integer or text', start);
    if (map.has(key)) throw reader.malformed('a key given twice', start);
    map.set(key, readItem(reader, depthLeft));
  }
  return map;
}
