import { expect, test } from '@jest/globals';
import { prefers } from './prefer.js';

test.each([
  [undefined, false],
  ['', false],
  ['receipt', true],
  ['Receipt', true],
  ['respond-async, receipt', true],
  [['wait=1', 'receipt'], true],
  ['receipts', false],
  ['receipt=none', false],
])('%s', (header, expected) => expect(prefers(header, 'receipt')).toBe(expected));
