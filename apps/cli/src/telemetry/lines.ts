/** Cuts a stream of bytes into lines. */

/** Longer than any line of ours. */
const MAX_LINE_BYTES = 8 * 1_048_576;
const NEWLINE = 0x0a;

/** Lines without their newline, by the byte: no other character ends one. What follows the last newline counts as a line too. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let rest: Uint8Array[] = [];
  let waiting = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...rest, chunk.subarray(start, end)]);
      rest = [];
      waiting = 0;
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
    waiting += chunk.length - start;
    if (waiting > MAX_LINE_BYTES) throw new Error(`a line of more than ${MAX_LINE_BYTES} bytes`);
  }
  if (waiting > 0) yield Buffer.concat(rest);
}
