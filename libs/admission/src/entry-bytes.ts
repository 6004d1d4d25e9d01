/** Turns the value of a denylist entry into the few bytes it is kept by, and back, without loss: two values never share their bytes. */
import type { DenylistKind } from './denylist-entry.js';

/** How the bytes are to be read. */
export const FORM = { utf8: 0, thumbprint: 1, serial: 2, utf16: 3 } as const;

/** The order of kinds in packed rows: append only. */
export const KINDS: readonly DenylistKind[] = ['certificate', 'serial', 'key', 'device', 'token', 'network'];
const KIND_NUMBERS: Readonly<Record<DenylistKind, number>> = {
  certificate: 0,
  serial: 1,
  key: 2,
  device: 3,
  token: 4,
  network: 5,
};

/** A value longer than this many bytes is in no list. */
export const MAX_VALUE_BYTES = 1024;

/** Of 43 base64url digits the last stands for four bits alone: the other two must be zero, or two texts would mean the same bytes. */
const THUMBPRINT = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const SERIAL = /^[0-9a-f]{40}-(?:[0-9a-f]{2}){1,20}$/;

/**
 * A place for one encoded value, used again and again. `bytes` holds `length` of it, zeros up to a multiple of four; `words` are the same
 * memory; `tag` is kind and form in one number.
 */
export class EncodedValue {
  readonly bytes = Buffer.from(new ArrayBuffer(MAX_VALUE_BYTES + 4));
  readonly words = new Uint32Array(this.bytes.buffer);
  length = 0;
  tag = 0;

  get kind(): DenylistKind {
    return kindOf(this.tag);
  }

  /** @returns false for a value that is too long for any list. */
  encode(kind: DenylistKind, value: string): boolean {
    const form = formOf(kind, value);
    if (value.length > MAX_VALUE_BYTES || (form === FORM.utf16 && value.length * 2 > MAX_VALUE_BYTES)) return false;
    if (form === FORM.thumbprint) this.length = this.bytes.write(value, 'base64url');
    else if (form === FORM.serial) {
      this.length = this.bytes.write(value.slice(0, 40), 'hex');
      this.length += this.bytes.write(value.slice(41), this.length, 'hex');
    } else if (form === FORM.utf16) this.length = this.bytes.write(value, 'utf16le');
    else {
      this.length = this.bytes.write(value, 'utf8');
      // Four bytes more than a value may have: one that fills them was cut off or is too long.
      if (this.length > MAX_VALUE_BYTES) return false;
    }
    this.#close(KIND_NUMBERS[kind], form);
    return true;
  }

  /** Takes bytes that were encoded before. `tag` must be one of `tagOf`. */
  take(source: Uint8Array, start: number, length: number, tag: number): void {
    this.bytes.set(source.subarray(start, start + length));
    this.length = length;
    this.#close(tag & 7, tag >> 3);
  }

  /** 32 bits that spread well; equal values, equal bits. */
  hash(): number {
    let hash = this.tag ^ (this.length << 8);
    const end = (this.length + 3) >> 2;
    for (let i = 0; i < end; i += 1) {
      let word = Math.imul(this.words[i] as number, 0xcc9e2d51);
      word = (word << 15) | (word >>> 17);
      hash ^= Math.imul(word, 0x1b873593);
      hash = (hash << 13) | (hash >>> 19);
      hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #close(kindNumber: number, form: number): void {
    this.tag = kindNumber | (form << 3);
    for (let i = this.length; (i & 3) !== 0; i += 1) this.bytes[i] = 0;
  }
}

function kindOf(tag: number): DenylistKind {
  return KINDS[tag & 7] as DenylistKind;
}

/** Whether a tag and a length that came from outside can be those of an encoded value. */
export function isEncoded(tag: number, length: number): boolean {
  const form = tag >> 3;
  if (KINDS[tag & 7] === undefined || form > 3 || length > MAX_VALUE_BYTES) return false;
  if (form === FORM.thumbprint) return length === 32 && (kindOf(tag) === 'certificate' || kindOf(tag) === 'key');
  if (form === FORM.serial) return length > 20 && length <= 40 && kindOf(tag) === 'serial';
  return true;
}

/** The value whose encoding these bytes are. */
export function decodeValue(bytes: Buffer, start: number, length: number, tag: number): string {
  const end = start + length;
  switch (tag >> 3) {
    case FORM.thumbprint:
      return bytes.toString('base64url', start, end);
    case FORM.serial:
      return `${bytes.toString('hex', start, start + 20)}-${bytes.toString('hex', start + 20, end)}`;
    case FORM.utf16:
      return bytes.toString('utf16le', start, end);
    default:
      return bytes.toString('utf8', start, end);
  }
}

function formOf(kind: DenylistKind, value: string): number {
  if (kind === 'certificate' || kind === 'key') {
    if (THUMBPRINT.test(value)) return FORM.thumbprint;
  } else if (kind === 'serial' && SERIAL.test(value)) return FORM.serial;
  // UTF-8 knows no lone surrogates: all of them would become the same three bytes.
  return value.isWellFormed() ? FORM.utf8 : FORM.utf16;
}
