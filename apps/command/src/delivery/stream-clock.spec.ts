import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Due, due } from './stream-clock.js';

const TOKEN = { iat: 1000, exp: 1030 };

test.each<[string, boolean, number, Due]>([
  ['waits until two thirds of a short life are over', false, 1_010_000, { kind: 'wait', ms: 10_000 }],
  ['asks then', false, 1_020_000, { kind: 'ask' }],
  ['asks once', true, 1_020_000, { kind: 'wait', ms: 10_000 }],
  ['ends with the token', true, 1_030_000, { kind: 'end' }],
  ['ends with a token that nobody was asked to renew', false, 1_031_000, { kind: 'end' }],
])('%s', (_name, asked, nowMs, expected) => {
  expect(due(TOKEN, asked, nowMs)).toEqual(expected);
});

test('whatever the token: a stream that does what it is told asks once before the end, and never waits past it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), (life) => {
      const token = { iat: 1000, exp: 1000 + life };
      let [nowMs, asked] = [1_000_000, 0];
      for (let rounds = 0; rounds < 5; rounds += 1) {
        const next = due(token, asked > 0, nowMs);
        if (next.kind === 'end') break;
        if (next.kind === 'ask') asked += 1;
        else nowMs += next.ms;
      }
      expect([asked, nowMs]).toEqual([1, token.exp * 1000]);
    }),
  );
});
