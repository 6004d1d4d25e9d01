import { expect, test } from '@jest/globals';
import { judgeLines } from './judge-lines.js';
import { lineHash } from './line-splitter.js';

test('a line is done once: sent again as it was it is known, sent otherwise it is told apart', () => {
  const line = (number: number, text: string) => ({ number, bytes: Buffer.from(text), tooLong: false });
  const handled = new Map([
    [2, lineHash(Buffer.from('a'))],
    [3, lineHash(Buffer.from('b'))],
  ]);
  const judged = judgeLines([line(2, 'a'), line(3, 'B'), line(4, 'c')], handled);
  expect(judged.same).toEqual([2]);
  expect(judged.changed).toEqual([3]);
  expect(judged.fresh.map(({ line: { number } }) => number)).toEqual([4]);
});
