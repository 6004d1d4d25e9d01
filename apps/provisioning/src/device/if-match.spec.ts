import { expect, test } from '@jest/globals';
import { parseIfMatch, requireMatch } from './if-match.js';

test.each<[string | undefined, number, boolean]>([
  [undefined, 7, true],
  ['*', 7, true],
  ['"7"', 7, true],
  ['"6", "7"', 7, true],
  ['"6"', 7, false],
  ['W/"7"', 7, false],
  ['7', 7, false],
  ['"seven"', 7, false],
  ['', 7, false],
])('If-Match %p at version %p: %p', (header, version, passes) => {
  const ask = () => requireMatch(parseIfMatch(header), version);
  if (passes) expect(ask).not.toThrow();
  else expect(ask).toThrow('request.precondition_failed');
});
