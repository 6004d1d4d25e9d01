import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ground, prepareGround } from '../telemetry.fixture.js';
import { statementsIn, unkeyedTables } from './device-statements.fixture.js';

const SOURCE = join(import.meta.dirname, '../../src');
const NOT_THE_SERVICE = /\.(?:spec|fixture|migration)\.ts$/;

/** Statements over many devices, each with its reason: nothing else may be one. What is here runs seldom, or for an operator who asks for all. */
const SPANS_DEVICES: Readonly<Record<string, string>> = {
  'epoch-order/epoch-orders.repository.ts: devices': 'operators list the devices that are held',
  'high-water/rollbacks.repository.ts: devices': 'at the start of an instance: how many are held',
  'reading/reading.repository.ts: messages': 'operators read the messages of all devices, by time',
};
/** Keys that do not begin with the device, each with its reason. */
const OTHER_KEYS: Readonly<Record<string, string>> = {
  log_heads_by_time_of_receipt: 'for retention, which ends whole months; each node has its own part of it',
  log_records_by_time_of_receipt: 'for retention',
  log_segments_by_time_of_receipt: 'for retention',
  messages_received_at: 'for that reading by time; each node has its own part of it',
};

let ground: Ground;
let tables: Set<string>;
let keys: { table: string; key: string; first: string }[];

beforeAll(async () => {
  ground = await prepareGround();
  const client = await ground.database.admin();
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'device_id'
     WHERE c.relnamespace = 'telemetry'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`,
  );
  tables = new Set(rows.map(({ name }) => name));
  keys = (
    await client.query(
      `SELECT t.relname AS table, i.relname AS key, pg_get_indexdef(x.indexrelid, 1, true) AS first
       FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
       WHERE t.relnamespace = 'telemetry'::regnamespace AND NOT t.relispartition ORDER BY 1, 2`,
    )
  ).rows;
  await client.end();
}, 60_000);

afterAll(() => ground?.stop());

function sources(): { file: string; text: string }[] {
  return readdirSync(SOURCE, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.ts') && !NOT_THE_SERVICE.test(file))
    .map((file) => ({ file, text: readFileSync(join(SOURCE, file), 'utf8') }));
}

describe('the tables can be distributed by device', () => {
  it('every statement reaches the tables of devices by the device', () => {
    const statements = sources().flatMap(({ file, text }) =>
      statementsIn(text).map((statement) => ({ file, statement })),
    );
    expect(statements.length).toBeGreaterThan(20);
    const spanning = statements.flatMap(({ file, statement }) =>
      unkeyedTables(statement, tables).map((table) => `${file}: ${table}`),
    );
    expect([...new Set(spanning)].sort()).toEqual(Object.keys(SPANS_DEVICES).sort());
  });

  it('every key of theirs begins with it', () => {
    expect(tables).toContain('messages');
    const others = keys.filter(({ table, first }) => tables.has(table) && first !== 'device_id');
    expect(others.map(({ key }) => key)).toEqual(Object.keys(OTHER_KEYS).sort());
  });
});
