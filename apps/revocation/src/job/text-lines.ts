/** Cuts a stream of bytes into lines of text, in bounded memory. */

/** Of a longer line only so much is kept: whoever reads it finds it too long. */
const KEPT_BYTES = 4096;

export interface TextLine {
  /** From 1, as an editor counts; empty lines count. */
  readonly number: number;
  readonly text: string;
}

/** Lines end with LF; a CR before it is the reader's to trim. The last may have no end. */
export async function* textLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<TextLine> {
  let kept: Uint8Array[] = [];
  let length = 0;
  let number = 1;
  const keep = (part: Uint8Array) => {
    if (length < KEPT_BYTES) kept.push(part.subarray(0, KEPT_BYTES - length));
    length += part.length;
  };
  const take = (): TextLine => {
    const line = { number, text: Buffer.concat(kept).toString() };
    [kept, length, number] = [[], 0, number + 1];
    return line;
  };
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      keep(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    keep(chunk.subarray(from));
  }
  if (length > 0) yield take();
}
