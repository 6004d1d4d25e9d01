import { describe, expect, it, test } from '@jest/globals';
import { UsageError } from '../exit-code.js';
import { parseParameters } from './parameters.js';
import { progressOf } from './progress.js';

describe('parameters of a command', () => {
  it('are numbers, booleans, null or text', () => {
    expect(
      parseParameters(['times=3', 'ratio=-0.5', 'on=true', 'off=false', 'none=null', 'text=a=b', 'empty=']),
    ).toEqual({
      times: 3,
      ratio: -0.5,
      on: true,
      off: false,
      none: null,
      text: 'a=b',
      empty: '',
    });
  });

  it('stay text where a number would lose digits or a leading zero', () => {
    expect(parseParameters(['a=007', 'b=12345678901234567890', 'c=1e3', 'd=0x10'])).toEqual({
      a: '007',
      b: '12345678901234567890',
      c: '1e3',
      d: '0x10',
    });
  });

  test.each([[['times']], [['=3']], [['a=1', 'a=2']]])('%j is a usage error', (given) => {
    expect(() => parseParameters(given)).toThrow(UsageError);
  });
});

test.each([
  ['queued', 'under_way'],
  ['offered', 'under_way'],
  ['challenged', 'under_way'],
  ['released', 'under_way'],
  ['succeeded', 'done'],
  ['failed', 'failed'],
  ['refused', 'failed'],
  ['expired', 'failed'],
  ['cancelled', 'failed'],
  ['unknown', 'nobody_knows'],
  ['a state of a later version', 'under_way'],
])('a command in state %s is %s', (state, progress) => {
  expect(progressOf(state)).toBe(progress);
});
