/** Reads the heads of CBOR items (RFC 8949 §3): definite lengths in their shortest form, never beyond the bytes that are there. */
import { DomainError } from '@outrider/errors';

/** RFC 8949 §3.1. */
export const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;

const INDEFINITE = 31;
/** The least argument that needs the 1, 2, 4 and 8 bytes after the initial one. */
const LEAST = [24, 0x100, 0x1_0000, 0x1_0000_0000] as const;

/** A place in the bytes, and the head read last. Fields instead of results: heads are read by the ten thousand. */
export class CborReader {
  at = 0;
  major: number = MAJOR.simple;
  /** Low five bits of the initial byte: for major 7 they say which simple value or float it is. */
  info = 0;
  /** Length, count, tag or value; beyond 2^53 only its magnitude. For a float its bits are before `at`. */
  argument = 0;

  constructor(readonly bytes: Buffer) {}

  /** Gives the major type. @throws DomainError `request.malformed` for an early end, an indefinite or reserved length, and an argument longer than it need be */
  head(): number {
    const initial = this.byteAt(this.at);
    this.major = initial >> 5;
    this.info = initial & 31;
    this.at++;
    if (this.info < 24) this.argument = this.info;
    else this.longArgument();
    return this.major;
  }

  /** Of a byte or text string, an array or a map whose head was read: its length, which must be there. `unit`: bytes that one takes at least. */
  length(unit = 1): number {
    if (this.argument * unit > this.bytes.length - this.at) throw this.malformed('an item ends beyond the last byte');
    return this.argument;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  malformed(what: string, at = this.at): DomainError {
    return new DomainError('request.malformed', { detail: `CBOR: ${what} at byte ${at}` });
  }

  private longArgument(): void {
    if (this.info === INDEFINITE) throw this.malformed('an indefinite length', this.at - 1);
    const power = this.info - 24;
    if (power > 3) throw this.malformed('a reserved length', this.at - 1);
    let argument = 0;
    for (let left = 1 << power; left > 0; left--) argument = argument * 256 + this.byteAt(this.at++);
    this.argument = argument;
    // The bytes of a float are no argument; a simple value has a rule of its own (RFC 8949 §3.3), kept where it is read.
    if (this.major !== MAJOR.simple && argument < LEAST[power]!)
      throw this.malformed('a length or number longer than it need be');
  }

  private byteAt(at: number): number {
    const byte = this.bytes[at];
    if (byte === undefined) throw this.malformed('the bytes end early', this.bytes.length);
    return byte;
  }
}
