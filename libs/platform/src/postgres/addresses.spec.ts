import { describe, expect, it, test } from '@jest/globals';
import { addressesOf, areAddresses } from './addresses.js';

describe('where PostgreSQL is', () => {
  test.each([
    ['one host', 'db', [['db', 5432]]],
    [
      'a list with commas',
      'pg-1, pg-2:5433',
      [
        ['pg-1', 5432],
        ['pg-2', 5433],
      ],
    ],
    [
      'an array',
      ['10.0.0.1:6000', '10.0.0.2'],
      [
        ['10.0.0.1', 6000],
        ['10.0.0.2', 5432],
      ],
    ],
    [
      'IPv6',
      ['::1', '[fd00::2]:5434', '[fd00::3]'],
      [
        ['::1', 5432],
        ['fd00::2', 5434],
        ['fd00::3', 5432],
      ],
    ],
  ])('%s', (_name, host, expected) => {
    expect(addressesOf({ host, port: 5432 })).toEqual(expected.map(([name, port]) => ({ host: name, port })));
  });

  it.each(['', 'a,', 'a:0', 'a:70000', 'a:b', 'user@a', 'postgres://a', 'a b', '[::1'])('refuses "%s"', (host) => {
    expect(areAddresses(host)).toBe(false);
    expect(() => addressesOf({ host, port: 5432 })).toThrow(RangeError);
  });

  it('refuses an empty list', () => expect(areAddresses([])).toBe(false));
});
