import { expect, test } from '@jest/globals';
import { INSERT } from './outbox.service.js';
import { statementName } from './statement-name.js';

test.each([
  ['BEGIN', 'BEGIN'],
  ['START TRANSACTION', 'BEGIN'],
  ['COMMIT', 'COMMIT'],
  ['SELECT 1', 'SELECT'],
  ["SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.outbox', 0)) AS mine", 'SELECT'],
  ['SELECT id FROM outbox ORDER BY id LIMIT $1', 'SELECT outbox'],
  ['select "d"."id" from "devices" "d" where "d"."id" = $1', 'SELECT devices'],
  [INSERT, 'INSERT outbox'],
  ['INSERT INTO devices AS d (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = EXCLUDED.b', 'INSERT devices'],
  ['UPDATE commands SET state = $1 FROM unnest($2::text[]) AS t(x)', 'UPDATE commands'],
  ['DELETE FROM outbox WHERE id = ANY($1)', 'DELETE outbox'],
  ['SELECT * FROM windows WHERE device_id = $1 FOR NO KEY UPDATE', 'SELECT windows'],
  ['WITH old AS (SELECT id FROM a FOR UPDATE) SELECT * FROM old JOIN b ON true', 'SELECT a'],
  ['WITH gone AS (DELETE FROM a RETURNING id) INSERT INTO b SELECT id FROM gone', 'DELETE a'],
  ['SELECT x FROM unnest($1::text[]) AS t(x) JOIN devices USING (x)', 'SELECT devices'],
  ['LISTEN denylist', 'LISTEN'],
  ['', 'UNKNOWN'],
])('%s', (text, name) => {
  expect(statementName(text).name).toBe(name);
});

test('a value that was written into a statement is no part of its name', () => {
  expect(statementName("SELECT * FROM devices WHERE device_id = 'device-12345'").name).toBe('SELECT devices');
});
