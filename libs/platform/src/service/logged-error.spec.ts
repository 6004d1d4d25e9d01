import { expect, it } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import { loggedError } from './logged-error.js';

it('says of a failed statement which and why, and none of its values', () => {
  const SECRET = 'hash-of-a-secret';
  // As pg makes them, and as TypeORM wraps them.
  const failed = Object.assign(new Error('duplicate key value violates unique constraint "vins"'), {
    severity: 'ERROR',
    code: '23505',
    detail: `Key (vin)=(${SECRET}) already exists.`,
    where: `JSON data, line 1: ${SECRET}`,
  });
  const wrapped = Object.assign(new Error(failed.message), {
    ...failed,
    query: 'INSERT INTO devices VALUES ($1)',
    parameters: [SECRET],
    driverError: failed,
  });
  for (const error of [failed, wrapped]) expect(JSON.stringify(loggedError(error))).not.toContain(SECRET);
  expect(loggedError(wrapped)).toMatchObject({ code: '23505', query: 'INSERT INTO devices VALUES ($1)' });
  expect(loggedError(wrapped)).toHaveProperty('stack');
});

it('says all of any other', () => {
  const error = new DomainError('request.invalid', { detail: 'a word too much' });
  expect(loggedError(error)).toMatchObject({ code: 'request.invalid', detail: 'a word too much' });
  expect(loggedError('thrown text')).toBe('thrown text');
});
