import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import pg from 'pg';
import { z } from 'zod';

const Endpoints = z.object({
  database: z.object({
    host: z.string(),
    port: z.number(),
    name: z.string(),
    user: z.string(),
    passwordFile: z.string(),
  }),
});
const MESSAGES_EACH = 3;

/**
 * Fills the tables until `count` devices are known, each with a window and a few messages, as if they had sent an hour ago. Their names
 * are hashes, so that the vehicles that send lie scattered among them.
 */
export async function knowDevices(endpointsFile: string, count: number): Promise<void> {
  const { database } = Endpoints.parse(JSON.parse(readFileSync(endpointsFile, 'utf8')));
  const { host, port, name, user, passwordFile } = database;
  const password = readFileSync(resolve(dirname(dirname(endpointsFile)), passwordFile), 'utf8').trim();
  const client = new pg.Client({ host, port, database: name, user, password, options: '-c search_path=telemetry' });
  await client.connect();
  try {
    const ids = `SELECT 'bench-' || left(md5(n::text), 12) AS device_id FROM generate_series(1, $1::int) AS n`;
    await client.query(`INSERT INTO devices (device_id) ${ids} ON CONFLICT DO NOTHING`, [count]);
    await client.query(
      `INSERT INTO windows (device_id, stream, epoch, highest, bits)
       SELECT device_id, 'main', 0, 1000, decode(repeat('ff', 128), 'hex') FROM (${ids}) AS d ON CONFLICT DO NOTHING`,
      [count],
    );
    await client.query(
      `INSERT INTO messages (device_id, received_at, stream, epoch, seq, ts, thumbprint, canonical_sha256, signature, payload)
       SELECT device_id, now() - interval '1 hour', 'main', 0, seq, 0, repeat('t', 43), sha256(device_id::bytea), repeat('s', 86), repeat('p', 150)::bytea
       FROM (${ids}) AS d, generate_series(1, ${MESSAGES_EACH}) AS seq ON CONFLICT DO NOTHING`,
      [count],
    );
    await client.query('VACUUM ANALYZE devices, windows, messages');
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
}
