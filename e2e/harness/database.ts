/** Reads the suite's database itself, for what only it can tell: that something is stored once. */
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { endpoints } from './endpoints.js';

/** A connection of its own each time: the tests also kill the server. */
export async function query<Row extends pg.QueryResultRow>(
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const { host, port, name, user, passwordFile } = endpoints.database;
  const password = passwordFile ? readFileSync(passwordFile, 'utf8').trim() : undefined;
  const client = new pg.Client({ host, port, database: name, user, ...(password ? { password } : {}) });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

export interface StoredMessage {
  readonly stream: string;
  readonly epoch: number;
  readonly seq: number;
  readonly payload: string;
}

/** Every stored message of a device, a row each, as often as it is stored. */
export async function storedMessages(deviceId: string): Promise<StoredMessage[]> {
  const rows = await query<{ stream: string; epoch: number; seq: string; payload: Buffer }>(
    'SELECT stream, epoch, seq, payload FROM telemetry.messages WHERE device_id = $1 ORDER BY stream, epoch, seq',
    [deviceId],
  );
  return rows.map((row) => ({ ...row, seq: Number(row.seq), payload: row.payload.toString() }));
}

/** Every record of a device that an offline log brought. */
export async function loggedRecords(deviceId: string): Promise<{ epoch: number; seq: number; standing: string }[]> {
  const rows = await query<{ epoch: number; seq: string; standing: string }>(
    'SELECT epoch, seq, standing FROM telemetry.log_records WHERE device_id = $1 ORDER BY stream, epoch, seq',
    [deviceId],
  );
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
}
