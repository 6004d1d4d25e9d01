/** Decides of each line of a batch whether it is new, was handled just so, or was handled with other content. */
import { type Line, lineHash } from './line-splitter.js';

export interface SentLine {
  readonly line: Line;
  readonly sha256: string;
}

export interface Judgement {
  readonly fresh: readonly SentLine[];
  /** Numbers of lines that were handled with other content. */
  readonly changed: readonly number[];
  /** Numbers of lines that were handled just so. */
  readonly same: readonly number[];
}

/** @param handled SHA-256 by line number, of the lines that this import has handled. */
export function judgeLines(lines: readonly Line[], handled: ReadonlyMap<number, string>): Judgement {
  const fresh: SentLine[] = [];
  const changed: number[] = [];
  const same: number[] = [];
  for (const line of lines) {
    const sha256 = lineHash(line.bytes);
    const before = handled.get(line.number);
    if (before === undefined) fresh.push({ line, sha256 });
    else (before === sha256 ? same : changed).push(line.number);
  }
  return { fresh, changed, same };
}
