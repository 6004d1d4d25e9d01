/** A value inside scanned JSON: its exact bytes, its members and elements, with no second parse. */
import { KIND, type TokenTable } from './token-table.js';

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

const NAMES: readonly JsonKind[] = ['object', 'array', 'string', 'string', 'number', 'boolean', 'boolean', 'null'];

/** A member of an object: `nameToken` is the name as sent, quotes and escapes included. */
export interface JsonMember {
  readonly name: string;
  readonly nameToken: Uint8Array;
  readonly value: JsonNode;
}

/** Made by `scanJson` only. Holds no copy: it is as long-lived as the scanned bytes, which must not change. */
export class JsonNode {
  constructor(
    private readonly text: Uint8Array,
    private readonly tokens: TokenTable,
    private readonly row: number,
  ) {}

  get kind(): JsonKind {
    return NAMES[this.tokens.kind(this.row)]!;
  }

  /** Byte offset in the scanned text. */
  get start(): number {
    return this.tokens.start(this.row);
  }

  /** Byte offset after the last byte. */
  get end(): number {
    return this.tokens.end(this.row);
  }

  /** Exactly the bytes that were sent, white space inside included; a view, not a copy. */
  get raw(): Uint8Array {
    return this.text.subarray(this.start, this.end);
  }

  /** The member of that (unescaped) name; undefined when there is none or this is no object. */
  member(name: string): JsonNode | undefined {
    if (this.tokens.kind(this.row) !== KIND.object) return undefined;
    const last = this.tokens.next(this.row);
    for (let row = this.row + 1; row < last; row = this.tokens.next(row + 1)) {
      if (this.isNamed(row, name)) return new JsonNode(this.text, this.tokens, row + 1);
    }
    return undefined;
  }

  /** The members in the order sent; empty for anything but an object. */
  members(): JsonMember[] {
    if (this.tokens.kind(this.row) !== KIND.object) return [];
    const members: JsonMember[] = [];
    const last = this.tokens.next(this.row);
    for (let row = this.row + 1; row < last; row = this.tokens.next(row + 1)) {
      const token = new JsonNode(this.text, this.tokens, row);
      members.push({
        name: token.decode(),
        nameToken: token.raw,
        value: new JsonNode(this.text, this.tokens, row + 1),
      });
    }
    return members;
  }

  /** The elements in order; empty for anything but an array. */
  elements(): JsonNode[] {
    if (this.tokens.kind(this.row) !== KIND.array) return [];
    const elements: JsonNode[] = [];
    const last = this.tokens.next(this.row);
    for (let row = this.row + 1; row < last; row = this.tokens.next(row)) {
      elements.push(new JsonNode(this.text, this.tokens, row));
    }
    return elements;
  }

  /** The string, unescaped; undefined for anything but a string. */
  string(): string | undefined {
    return this.kind === 'string' ? this.decode() : undefined;
  }

  /** The number; undefined for anything but a number. */
  number(): number | undefined {
    return this.kind === 'number' ? Number(this.sent()) : undefined;
  }

  /** What JSON.parse makes of the exact bytes. A member `__proto__` becomes an own property and nothing else. */
  value(): unknown {
    return JSON.parse(this.sent());
  }

  private sent(): string {
    return asBuffer(this.text).toString('utf8', this.start, this.end);
  }

  private decode(): string {
    return decodeString(asBuffer(this.text), this.start, this.end, this.tokens.kind(this.row) === KIND.escapedString);
  }

  private isNamed(row: number, name: string): boolean {
    const escaped = this.tokens.kind(row) === KIND.escapedString;
    const start = this.tokens.start(row);
    const end = this.tokens.end(row);
    // a name without escapes takes one to three bytes for each code unit
    if (!escaped && (end - start - 2 < name.length || end - start - 2 > name.length * 3)) return false;
    return decodeString(asBuffer(this.text), start, end, escaped) === name;
  }
}

/** A string token between `start` and `end`, quotes included, as JavaScript reads it. */
export function decodeString(text: Buffer, start: number, end: number, escaped: boolean): string {
  return escaped ? JSON.parse(text.toString('utf8', start, end)) : text.toString('utf8', start + 1, end - 1);
}

/** A Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
