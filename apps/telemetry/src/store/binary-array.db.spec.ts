import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@outrider/testing';
import pg from 'pg';
import { byteaArray, float8Array, int4Array, int8Array, textArray } from './binary-array.js';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase('telemetry');
  client = await database.admin();
});

afterAll(async () => {
  await client?.end();
  await database?.drop();
});

const CASES = [
  ['text', textArray, ['', 'device-1', 'é\u{1f697}"{}\\,', null, 'x'.repeat(5000)]],
  ['bytea', byteaArray, [Buffer.alloc(0), Buffer.from([0, 1, 255]), null]],
  ['int4', int4Array, [0, -1, 2_147_483_647, null]],
  ['int8', int8Array, [0, 1, -1, -5_000_000_000, 4_294_967_296, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]],
  ['float8', float8Array, [0, 1.5, -2.25e-300, null]],
] as const;

it.each(CASES)('PostgreSQL reads %s arrays as they were written', async (type, write, values) => {
  const read = async (parameter: Buffer) => {
    const text = `SELECT value FROM unnest($1::${type}[]) WITH ORDINALITY AS t(value, n) ORDER BY n`;
    return (await client.query(text, [parameter])).rows.map(({ value }) => (type === 'int8' ? Number(value) : value));
  };
  expect(await read((write as (given: readonly unknown[]) => Buffer)(values))).toEqual(values);
  expect(await read((write as (given: readonly unknown[]) => Buffer)([]))).toEqual([]);
});
