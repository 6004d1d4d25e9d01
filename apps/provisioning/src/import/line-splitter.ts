/** Cuts a stream of bytes into lines: bounded memory, no line longer than the limit, numbers as an editor shows them. */
import { createHash } from 'node:crypto';

const LF = 0x0a;
const CR = 0x0d;
const BOM = Uint8Array.of(0xef, 0xbb, 0xbf);

export interface Line {
  /** From 1; empty lines count but are not given. */
  readonly number: number;
  /** Without its end (LF or CRLF) and without a byte order mark before the first. */
  readonly bytes: Uint8Array;
  /** Longer than the limit: `bytes` is only its beginning. */
  readonly tooLong: boolean;
}

export class LineSplitter {
  private number = 1;
  /** Of the line in hand; never more than the limit and two bytes. */
  private readonly kept: Buffer;
  private length = 0;
  private tooLong = false;

  constructor(private readonly maxLineBytes: number) {
    // One byte more tells a line that is too long, another one a CR that does not count.
    this.kept = Buffer.alloc(maxLineBytes + 2);
  }

  /** The lines that end in this piece, as they are asked for. */
  *push(chunk: Uint8Array): Generator<Line, void> {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(LF, from);
      this.keep(chunk.subarray(from, end === -1 ? chunk.length : end));
      if (end === -1) return;
      from = end + 1;
      yield* this.take();
    }
  }

  /** A last line without an end. Only for a stream that came to its own end: of a cut one it would be half a line. */
  *end(): Generator<Line, void> {
    yield* this.take();
  }

  private keep(part: Uint8Array): void {
    const room = this.kept.length - this.length;
    if (part.length > room) this.tooLong = true;
    this.kept.set(part.subarray(0, room), this.length);
    this.length += Math.min(part.length, room);
  }

  private *take(): Generator<Line, void> {
    let bytes = this.kept.subarray(0, this.length);
    if (!this.tooLong && bytes.at(-1) === CR) bytes = bytes.subarray(0, -1);
    if (this.number === 1 && BOM.every((byte, i) => bytes[i] === byte)) bytes = bytes.subarray(BOM.length);
    const tooLong = this.tooLong || bytes.length > this.maxLineBytes;
    const number = this.number++;
    this.length = 0;
    this.tooLong = false;
    if (bytes.length > 0) yield { number, bytes: Uint8Array.from(bytes.subarray(0, this.maxLineBytes)), tooLong };
  }
}

/** SHA-256, lower-case hex: how a line that is sent again is known. */
export function lineHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
