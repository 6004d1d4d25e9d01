import { describe, expect, it } from '@jest/globals';
import { statementsIn, unkeyedTables } from './device-statements.fixture.js';

const TABLES = new Set(['messages', 'windows', 'devices']);

describe('statementsIn', () => {
  it('finds what begins like a statement, in any quotes, and nothing in comments', () => {
    const source = [
      "// 'SELECT 1 FROM messages'",
      "/* `DELETE FROM windows` */ query('SELECT seq FROM messages');",
      'const a = `\n  INSERT INTO windows (device_id) VALUES ($1)`; const b = "a SELECT that is prose";',
    ].join('\n');
    expect(statementsIn(source).map((statement) => statement.trim().split(' ')[0])).toEqual(['SELECT', 'INSERT']);
  });

  it('puts in what the file names by a constant', () => {
    const hole = (name: string) => `$\{${name}}`;
    const source = `const OF_ONE = 'device_id = $1';\nquery('SELECT 1 FROM messages WHERE ${hole('OF_ONE')} LIMIT ${hole('LIMIT')}');`;
    expect(statementsIn(source)).toEqual([`SELECT 1 FROM messages WHERE device_id = $1 LIMIT ${hole('LIMIT')}`]);
  });
});

describe('unkeyedTables', () => {
  it.each([
    'SELECT seq FROM messages WHERE device_id = $1',
    'SELECT m.seq FROM messages m WHERE m.device_id = $1 AND m.seq > $2',
    'SELECT 1 FROM devices WHERE device_id = ANY($1::text[]) FOR UPDATE',
    'SELECT w.bits FROM devices d JOIN windows w USING (device_id) WHERE d.device_id = $1',
    'UPDATE devices d SET epoch = r.epoch FROM unnest($1::text[]) AS r(device_id) WHERE d.device_id = r.device_id',
    'INSERT INTO messages (device_id, seq) SELECT device_id, seq FROM unnest($1::text[], $2::int[]) AS r(device_id, seq)',
    'SELECT q.n FROM unnest($1::text[]) AS q(device_id) CROSS JOIN LATERAL (SELECT FROM messages m WHERE m.device_id = q.device_id) AS s',
    'SELECT 1 FROM event_groups',
  ])('lets pass: %s', (statement) => expect(unkeyedTables(statement, TABLES)).toEqual([]));

  it.each([
    ['SELECT count(*) FROM messages', ['messages']],
    ['DELETE FROM windows WHERE highest < $1', ['windows']],
    ['SELECT d.epoch FROM devices d JOIN messages m ON m.seq = d.epoch WHERE d.device_id = $1', ['messages']],
    ['INSERT INTO windows (stream) VALUES ($1)', ['windows']],
    ['UPDATE devices SET epoch = 1', ['devices']],
    ['WITH old AS (SELECT seq FROM messages WHERE seq < 5) SELECT * FROM old', ['messages']],
  ])('names the tables of: %s', (statement, tables) => expect(unkeyedTables(statement, TABLES)).toEqual(tables));
});
