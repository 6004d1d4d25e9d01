import { expect, test } from '@jest/globals';
import { progressLine, spanSeconds } from './rotation.js';

test.each([
  ['90s', 90],
  ['10m', 600],
  ['2m30s', 150],
  ['1h', 3600],
  ['7d', 604_800],
])('%s is %d seconds', (text, seconds) => expect(spanSeconds(text)).toBe(seconds));

test.each(['', '10', 'm', '10 m', '-1m', '1.5h', '10min', '99999999s'])('%p is no span', (text) => {
  expect(spanSeconds(text)).toBeUndefined();
});

test('progress is one line', () => {
  expect(progressLine({ id: 'x', state: 'under_way', selected: 10, renewed: 4, outstanding: 6 })).toBe(
    '4 of 10 renewed, 6 outstanding (under way)',
  );
});
