import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { LineSplitter } from './line-splitter.js';

function split(bytes: Uint8Array, cuts: readonly number[] = [], limit = 64) {
  const splitter = new LineSplitter(limit);
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  const lines = edges.slice(1).flatMap((edge, i) => [...splitter.push(bytes.subarray(edges[i], edge))]);
  return [...lines, ...splitter.end()].map((line) => ({ ...line, bytes: Buffer.from(line.bytes).toString('latin1') }));
}

const texts = (text: string) => split(Buffer.from(text)).map(({ number, bytes }) => [number, bytes]);

describe('lines', () => {
  test.each([
    [
      'a\nb\n',
      [
        [1, 'a'],
        [2, 'b'],
      ],
    ],
    [
      'a\r\nb',
      [
        [1, 'a'],
        [2, 'b'],
      ],
    ],
    [
      '\ufeffa\nb',
      [
        [1, 'a'],
        [2, 'b'],
      ],
    ],
    [
      'a\n\n\r\nb\n\n',
      [
        [1, 'a'],
        [4, 'b'],
      ],
    ],
    ['', []],
    ['\n', []],
    ['a\rb\n', [[1, 'a\rb']]],
  ])('%j', (text, lines) => expect(texts(text)).toEqual(lines));

  it('are the same however the bytes come', () => {
    const text = fc.array(fc.constantFrom('a', 'b', ',', '\n', '\r', '\r\n', 'x'.repeat(40)), { maxLength: 60 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 12 }), (parts, cuts) => {
        const bytes = Buffer.from(parts.join(''));
        expect(split(bytes, cuts)).toEqual(split(bytes));
      }),
    );
  });

  it('are cut at the limit, and the next one is whole again', () => {
    const long = 'x'.repeat(1000);
    for (const text of [`${long}\nb\n`, `${'x'.repeat(65)}\r\nb`, `${'x'.repeat(65)}\nb`]) {
      expect(split(Buffer.from(text)).map(({ number, tooLong }) => [number, tooLong])).toEqual([
        [1, true],
        [2, false],
      ]);
    }
    expect(split(Buffer.from(`${'x'.repeat(64)}\r\n`))).toEqual([{ number: 1, bytes: 'x'.repeat(64), tooLong: false }]);
  });
});
