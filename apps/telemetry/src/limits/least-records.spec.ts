import { expect, test } from '@jest/globals';
import { leastRecords } from './least-records.js';

test('a body counts one record at least, and one for each 16 KiB begun', () => {
  expect([0, 1, 16_384, 16_385, 1_048_576].map(leastRecords)).toEqual([1, 1, 1, 2, 64]);
});
