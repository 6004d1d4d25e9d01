import { expect, it } from '@jest/globals';
import { DomainError, type ErrorCode } from '@outrider/errors';
import { unlessWithdrawn } from './withdrawn.js';

let now = 0;
let judged = 0;
let code: ErrorCode | undefined;
const admitted = () => {
  judged += 1;
  if (code) throw new DomainError(code);
};

it('a long answer ends when its right is taken away, is judged once a second, and outlasts its token', () => {
  const check = unlessWithdrawn(admitted, () => now);
  for (now = 0; now < 3000; now += 100) check();
  expect(judged).toBe(2);
  code = 'auth.token_expired';
  now += 1000;
  check();
  code = 'denylist.token';
  check();
  now += 1000;
  expect(check).toThrow('denylist.token');
});
