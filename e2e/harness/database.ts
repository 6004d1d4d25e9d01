/** Reads the suite's database itself, for what only it can tell: that something is stored once. */
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { endpoints } from './endpoints.js';

/** A connection of its own each time: the tests also kill the server. Of two servers the one that takes writes. */
export async function query<Row extends pg.QueryResultRow>(
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const { port, standbyPort } = endpoints.database;
  if (standbyPort === undefined) return queryAt(port, text, values);
  const writable = await Promise.any([port, standbyPort].map(requireWritable));
  return queryAt(writable, text, values);
}

/** The same of the server at that port, a standby too. */
export async function queryAt<Row extends pg.QueryResultRow>(
  port: number,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const { host, name, user, passwordFile } = endpoints.database;
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

async function requireWritable(port: number): Promise<number> {
  const [row] = await queryAt<{ standby: boolean }>(port, 'SELECT pg_is_in_recovery() AS standby');
  if (row?.standby !== false) throw new Error(`the server at ${port} is a standby`);
  return port;
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
