import { expect, it, test } from '@jest/globals';
import { z } from 'zod';
import { keyedId, requireSameRequest } from './keyed-id.js';

it('is a UUID, the same for the same key of the same caller and kind alone', () => {
  const id = keyedId('key-1', 'op:a', 'rotation');
  expect(z.uuid().safeParse(id).success).toBe(true);
  expect(keyedId('key-1', 'op:a', 'rotation')).toBe(id);
  const others = [
    keyedId('key-2', 'op:a', 'rotation'),
    keyedId('key-1', 'op:b', 'rotation'),
    keyedId('key-1', 'op:a', 'elevation'),
  ];
  expect(new Set([id, ...others]).size).toBe(4);
});

it('is none without a key', () => {
  expect(keyedId(undefined, 'op:a', 'rotation')).toBeUndefined();
});

test.each(['', 'two words', 'k'.repeat(129), 'ä'])('%p is no key', (header) => {
  expect(() => keyedId(header, 'op:a', 'rotation')).toThrow('request.invalid');
});

it('stands for one request', () => {
  expect(() => requireSameRequest(true)).not.toThrow();
  expect(() => requireSameRequest(false)).toThrow('request.idempotency_mismatch');
});
