/** The packed form of denylist entries: what a snapshot's chunks hold. Little-endian, as the page on revocation describes it, to the byte. */
import { decodeValue, type EncodedValue, FORM, isEncoded } from './entry-bytes.js';

const MAGIC = 0x314c444f; // "ODL1"
const RECOVERY = 1 << 5;
const FOR_EVER = 1 << 6;
const RECORD_HEAD = 13;
const MAX_REASON_BYTES = 255;
/** What a Date can say, either way of 1970. */
const MAX_TIME_MS = 8.64e15;

/** One live entry without its value, which lies in an `EncodedValue`. */
export interface PackedFacts {
  sequence: number;
  untilMs: number;
  reason: string;
  isRecovery: boolean;
}

/** Gathers entries into one chunk of at most `maxBytes`. */
export class EntryPacker {
  readonly #records: Buffer;
  readonly #reasons = new Map<string, number>();
  #reasonBytes = 0;
  #length = 0;
  #count = 0;

  constructor(readonly maxBytes: number) {
    this.#records = Buffer.allocUnsafe(maxBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** @returns false where the chunk is full; nothing was taken then. */
  add(value: EncodedValue, { sequence, untilMs, reason, isRecovery }: PackedFacts): boolean {
    const isForEver = !Number.isFinite(untilMs);
    const known = this.#reasons.get(reason);
    const reasonBytes = known === undefined ? 1 + Buffer.byteLength(reason) : 0;
    const recordBytes = RECORD_HEAD + (isForEver ? 0 : 8) + value.length;
    if (reasonBytes > 1 + MAX_REASON_BYTES) throw new RangeError('a reason is too long');
    if (10 + this.#reasonBytes + reasonBytes + this.#length + recordBytes > this.maxBytes) return false;
    const number = known ?? this.#reasons.size;
    this.#reasons.set(reason, number);
    this.#reasonBytes += reasonBytes;
    let at = this.#length;
    at = this.#records.writeUInt8(value.tag | (isRecovery ? RECOVERY : 0) | (isForEver ? FOR_EVER : 0), at);
    at = this.#records.writeUInt16LE(value.length, at);
    at = this.#records.writeUInt16LE(number, at);
    at = this.#records.writeDoubleLE(sequence, at);
    if (!isForEver) at = this.#records.writeDoubleLE(untilMs, at);
    value.bytes.copy(this.#records, at, 0, value.length);
    this.#length = at + value.length;
    this.#count += 1;
    return true;
  }

  /** The chunk: mark, number of entries, reasons, entries. */
  finish(): Buffer {
    const head = Buffer.alloc(10);
    head.writeUInt32LE(MAGIC, 0);
    head.writeUInt32LE(this.#count, 4);
    head.writeUInt16LE(this.#reasons.size, 8);
    const reasons = [...this.#reasons.keys()].map((reason) => {
      const text = Buffer.from(reason);
      return Buffer.concat([Buffer.from([text.length]), text]);
    });
    return Buffer.concat([head, ...reasons, this.#records.subarray(0, this.#length)]);
  }
}

/**
 * Reads a chunk, calling `each` for every entry with the value in `value`; both are used again for the next. Throws RangeError at
 * anything that no packer writes, before or after some of the entries were given out.
 */
export function unpackEntries(chunk: Uint8Array, value: EncodedValue, each: (facts: PackedFacts) => void): number {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (bytes.length < 10 || bytes.readUInt32LE(0) !== MAGIC) throw new RangeError('no chunk of denylist entries');
  const count = bytes.readUInt32LE(4);
  const reasons: string[] = [];
  let at = 10;
  for (let i = bytes.readUInt16LE(8); i > 0; i -= 1) {
    const end = at + 1 + bytes.readUInt8(at);
    if (end > bytes.length) throw new RangeError('a reason is cut off');
    reasons.push(bytes.toString('utf8', at + 1, end));
    at = end;
  }
  const facts: PackedFacts = { sequence: 0, untilMs: 0, reason: '', isRecovery: false };
  for (let i = 0; i < count; i += 1) {
    const flags = bytes.readUInt8(at);
    const length = bytes.readUInt16LE(at + 1);
    const reason = reasons[bytes.readUInt16LE(at + 3)];
    facts.sequence = bytes.readDoubleLE(at + 5);
    facts.untilMs = flags & FOR_EVER ? Number.POSITIVE_INFINITY : bytes.readDoubleLE(at + RECORD_HEAD);
    facts.isRecovery = (flags & RECOVERY) !== 0;
    const start = at + RECORD_HEAD + (flags & FOR_EVER ? 0 : 8);
    at = start + length;
    const isSound = at <= bytes.length && flags < 128 && isEncoded(flags & 31, length) && reason !== undefined;
    const isTimed = facts.untilMs === Number.POSITIVE_INFINITY || Math.abs(facts.untilMs) <= MAX_TIME_MS;
    if (!isSound || !isTimed || !Number.isSafeInteger(facts.sequence) || facts.sequence < 1)
      throw new RangeError('an entry is out of form');
    facts.reason = reason;
    takeValue(value, bytes, start, length, flags & 31);
    each(facts);
  }
  if (at !== bytes.length) throw new RangeError('more bytes than entries');
  return count;
}

/** What could be written in a shorter form is brought into it: a value has one encoding, or it would not be found. */
function takeValue(value: EncodedValue, bytes: Buffer, start: number, length: number, tag: number): void {
  const form = tag >> 3;
  value.take(bytes, start, length, tag);
  if (form === FORM.thumbprint || form === FORM.serial) return;
  const text = decodeValue(bytes, start, length, tag);
  if (!value.encode(value.kind, text)) throw new RangeError('a value is too long');
}
