/**
 * One list of a million revoked certificates, and its deltas, by a suite of its own: from a compromised key to
 * the delta and to the full list that name it, the memory of both services meanwhile, and a download of the whole.
 * `--entries N` (1,000,000), `--rounds N` (3).
 */
import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { request } from 'undici';
import { z } from 'zod';
import { cpuSeconds, loadAverage } from '../enrol/cpu.client.js';
import { type OwnSuite, startOwnSuite } from '../suite/own-suite.client.js';
import { Suite } from '../suite/suite.client.js';
import { Memory, mebibytes } from './memory.client.js';

const { values } = parseArgs({
  options: { entries: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '3' } },
});
const ENTRIES = Number(values.entries);
const ROUNDS = Number(values.rounds);
const SERVICES = ['fleet-ca', 'revocation'] as const;
const CHUNK = 100_000;

const Endpoints = z.object({
  database: z.object({
    host: z.string(),
    port: z.number(),
    name: z.string(),
    user: z.string(),
    passwordFile: z.string(),
  }),
  services: z.object({ revocation: z.object({ http: z.string() }) }),
});

const own = startOwnSuite(['fleet-ca', 'token', 'revocation', 'gateway']);
try {
  await measure(own);
} finally {
  own.stop();
}

async function measure({ home, endpoints: file }: OwnSuite): Promise<void> {
  const endpoints = Endpoints.parse(JSON.parse(readFileSync(file, 'utf8')));
  const read = (path: string) => readFileSync(resolve(dirname(dirname(file)), path), 'utf8');
  const { host, port, name: database, user, passwordFile } = endpoints.database;
  const password = read(passwordFile).trim();
  const client = new pg.Client({ host, port, database, user, password, options: '-c search_path=revocation' });
  await client.connect();
  const suite = Suite.find();
  const memory = new Memory(SERVICES.map((service) => [service, suite.pid(service)]));
  try {
    const issuerKeyId = await issuer(client);
    line('at rest', memory.now());
    await revokeMany(client, issuerKeyId);
    await published(client, 'full', ENTRIES);
    for (let round = 0; round < ROUNDS; round += 1) await compromise(client, issuerKeyId, suite, memory, round);
    await download(
      `${endpoints.services.revocation.http}/crl/0.crl`,
      join(home, 'fleet', 'trust', 'vehicle-ca.crt'),
      memory,
    );
    console.log(`load ${loadAverage()} on ${availableParallelism()} cores, shared with PostgreSQL and this client`);
  } finally {
    memory.stop();
    await client.end();
  }
}

async function issuer(client: pg.Client): Promise<string> {
  for (;;) {
    const { rows } = await client.query<{ issuer_key_id: string }>('SELECT issuer_key_id FROM crl_issuers');
    if (rows[0]) return rows[0].issuer_key_id;
    await sleep(200);
  }
}

/** All in shard 0, with serial numbers as random as fleet-ca's. */
async function revokeMany(client: pg.Client, issuerKeyId: string): Promise<void> {
  for (let from = 0; from < ENTRIES; from += CHUNK) {
    await client.query(
      `INSERT INTO revocations (issuer_key_id, serial_number, not_after, crl_shard, reason, revoked_at, revoked_by)
       SELECT $1, '1' || right(md5('bench' || n), 31), now() + interval '1 day', 0, 'superseded', now(), 'bench'
       FROM generate_series($2::int + 1, $3::int) AS n`,
      [issuerKeyId, from, Math.min(from + CHUNK, ENTRIES)],
    );
  }
  await client.query('ANALYZE revocations, status_changes');
}

/** One more, whose key is compromised: how long until the delta and the full list say so. */
async function compromise(
  client: pg.Client,
  issuerKeyId: string,
  suite: Suite,
  memory: Memory,
  round: number,
): Promise<void> {
  await rested(client);
  const cpu = SERVICES.map((service) => cpuSeconds(suite.pid(service)));
  memory.begin();
  const begun = performance.now();
  await client.query(
    `INSERT INTO revocations (issuer_key_id, serial_number, not_after, crl_shard, reason, revoked_at, revoked_by)
     VALUES ($1, md5('compromised' || $2::int || random()), now() + interval '1 day', 0, 'keyCompromise', now(), 'bench')`,
    [issuerKeyId, round],
  );
  const { rows } = await client.query<{ id: string }>('SELECT max(id) AS id FROM status_changes');
  const of = async (kind: 'full' | 'delta') => {
    const list = await published(client, kind, 0, rows[0]?.id);
    return { ...list, ms: performance.now() - begun };
  };
  const [delta, full] = await Promise.all([of('delta'), of('full')]);
  const spent = SERVICES.map(
    (service, i) => `${service} ${(cpuSeconds(suite.pid(service)) - (cpu[i] ?? 0)).toFixed(1)} s`,
  );
  line('delta', `served after ${delta.ms.toFixed(0)} ms (made in ${delta.took_ms} ms, ${delta.entries} entries)`);
  line(
    'full list',
    `served after ${full.ms.toFixed(0)} ms (made in ${full.took_ms} ms, ${full.entries} entries, ${mebibytes(Number(full.bytes))})`,
  );
  line('CPU', spent.join(', '));
  line('most memory', memory.most());
}

/** A list rests for four times what it took; the next one is about to be due then. */
async function rested(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ ms: number }>(
      `SELECT extract(epoch FROM published_at + 4 * took_ms * interval '1 ms' - now())::float * 1000 AS ms
       FROM crl_versions WHERE shard = 0 AND NOT is_delta ORDER BY number DESC LIMIT 1`,
    );
    const ms = (rows[0]?.ms ?? 0) - 500;
    if (ms <= 0) return;
    await sleep(Math.min(ms, 1000));
  }
}

interface Published {
  readonly took_ms: number;
  readonly entries: number;
  readonly bytes: string;
}

async function published(client: pg.Client, kind: string, entries: number, upTo = '0'): Promise<Published> {
  for (;;) {
    const { rows } = await client.query<Published>(
      `SELECT took_ms, entries, bytes FROM crl_versions WHERE shard = 0 AND is_delta = $1 AND entries >= $2 AND up_to >= $3
       ORDER BY number LIMIT 1`,
      [kind === 'delta', entries, upTo],
    );
    if (rows[0]) return rows[0];
    await sleep(10);
  }
}

/** To a file, and openssl's word on it. */
async function download(url: string, issuerFile: string, memory: Memory): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-crl-'));
  try {
    memory.begin();
    const begun = performance.now();
    const { body, headers } = await request(url);
    await pipeline(body, createWriteStream(join(folder, 'list.crl')));
    const ms = performance.now() - begun;
    line('download', `${mebibytes(Number(headers['content-length']))} in ${ms.toFixed(0)} ms; ${memory.most()}`);
    const verified = spawnSync('openssl', [
      ...['crl', '-inform', 'DER', '-in', join(folder, 'list.crl'), '-CAfile', issuerFile, '-noout'],
    ]);
    line('openssl crl', verified.error ? 'not installed' : verified.stderr.toString().trim());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function line(name: string, value: string): void {
  console.log(`${name}: ${value}`);
}
