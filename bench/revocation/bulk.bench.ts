/**
 * Many certificates revoked by a file, by a suite of its own: until the job is done, until every instance enforces all of it, until the
 * CRLs list them all, and until OCSP says so of a sample; with the CPU time of each process. `--certificates N` (100,000).
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SerialNumber } from '@outrider/ids';
import { createOcspRequest, encodeOcspCertId, parseCertificates, parseCrl } from '@outrider/x509';
import pg from 'pg';
import { request } from 'undici';
import { z } from 'zod';
import { cpuSeconds, loadAverage } from '../enrol/cpu.client.js';
import { type OwnSuite, startOwnSuite } from '../suite/own-suite.client.js';
import { Suite } from '../suite/suite.client.js';

const { values } = parseArgs({ options: { certificates: { type: 'string', default: '100000' } } });
const CERTIFICATES = Number(values.certificates);
const SERVICES = ['fleet-ca', 'provisioning', 'token', 'revocation', 'gateway'] as const;
const SHARDS = 4;
const SAMPLE = 20;
const GIVE_UP_MS = 900_000;

const Endpoints = z.object({
  database: z.object({
    host: z.string(),
    port: z.number(),
    name: z.string(),
    user: z.string(),
    passwordFile: z.string(),
  }),
});
const Job = z.object({
  state: z.string(),
  lines: z.number(),
  settled: z.number(),
  counts: z.record(z.string(), z.number()),
  pending: z.array(z.unknown()).optional(),
});

const own = startOwnSuite(SERVICES);
try {
  await measure(own);
} finally {
  own.stop();
}

async function measure({ home, endpoints: file }: OwnSuite): Promise<void> {
  const { database } = Endpoints.parse(JSON.parse(readFileSync(file, 'utf8')));
  const password = readFileSync(resolve(dirname(dirname(file)), database.passwordFile), 'utf8').trim();
  const { host, port, name, user } = database;
  const client = new pg.Client({ host, port, database: name, user, password, options: '-c search_path=revocation' });
  await client.connect();
  const suite = Suite.find();
  try {
    const issuerKeyId = await issuer(client);
    const serials = Array.from({ length: CERTIFICATES }, () => `1${randomBytes(16).toString('hex').slice(1)}`);
    await known(client, issuerKeyId, serials);
    const id = await sent(suite, client, serials);
    const cpu = SERVICES.map((service) => cpuSeconds(suite.pid(service)));
    const begun = performance.now();
    // The second person's part: a bench has none.
    await client.query(`UPDATE jobs SET dry_run = false, elevation = 'bench', not_before = now() WHERE id = $1`, [id]);
    const seconds = () => ((performance.now() - begun) / 1000).toFixed(1);
    const job = await until(async () => {
      const parsed = Job.parse(await suite.observe('revocation', `/v1/revocations/jobs/${id}`));
      return parsed.state === 'done' ? parsed : undefined;
    });
    console.log(`job done: ${seconds()} s, ${JSON.stringify(job.counts)}`);
    const left = () => suite.observe('revocation', `/v1/revocations/jobs/${id}`).then((one) => Job.parse(one).pending);
    await Promise.all([
      until(async () => (await left())?.length === 0).then(() => console.log(`enforced by all: ${seconds()} s`)),
      until(() => isListed(suite, serials)).then(() => console.log(`in the CRLs: ${seconds()} s`)),
      until(() => isAnswered(suite, home, issuerKeyId, serials)).then(() => console.log(`in OCSP: ${seconds()} s`)),
    ]);
    console.log(`all of it: ${seconds()} s for ${CERTIFICATES} certificates`);
    for (const [n, service] of SERVICES.entries())
      console.log(`  ${service}: ${(cpuSeconds(suite.pid(service)) - (cpu[n] ?? 0)).toFixed(1)} s of CPU`);
    console.log(
      `load ${loadAverage()} on ${availableParallelism()} cores, shared with PostgreSQL, NATS and this client`,
    );
  } finally {
    await client.end();
  }
}

/** As fleet-ca's events would have told of them. */
async function known(client: pg.Client, issuerKeyId: string, serials: readonly string[]): Promise<void> {
  await client.query(
    `INSERT INTO certificates (thumbprint, issuer_key_id, serial_number, key_thumbprint, device_id, not_before, not_after)
     SELECT translate(encode(sha256(convert_to(s, 'UTF8')), 'base64'), '+/=', '-_'), $1, s,
       translate(encode(sha256(convert_to('key' || s, 'UTF8')), 'base64'), '+/=', '-_'), 'bulk-' || n, now(), now() + interval '1 day'
     FROM unnest($2::text[]) WITH ORDINALITY AS t (s, n)`,
    [issuerKeyId, serials],
  );
  await client.query('ANALYZE certificates');
}

async function issuer(client: pg.Client): Promise<string> {
  return until(async () => {
    const { rows } = await client.query<{ issuer_key_id: string }>('SELECT issuer_key_id FROM crl_issuers');
    return rows[0]?.issuer_key_id;
  });
}

/** As a dry run for later, which needs no second person. */
async function sent(suite: Suite, client: pg.Client, serials: readonly string[]): Promise<string> {
  const id = randomUUID();
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const begun = performance.now();
  const path = `/v1/revocations/jobs/${id}?reason=cessationOfOperation&dry_run=true&at=${encodeURIComponent(at)}`;
  await suite.put('revocation', path, 'text/csv', `serial\n${serials.join('\n')}\n`);
  console.log(`file received: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  await client.query('ANALYZE job_lines');
  return id;
}

async function isListed(suite: Suite, serials: readonly string[]): Promise<boolean> {
  const lists = await Promise.all(
    Array.from({ length: SHARDS }, async (_, shard) => {
      const { statusCode, body } = await request(suite.httpUrl('revocation', `/crl/${shard}.crl`));
      const der = new Uint8Array(await body.arrayBuffer());
      return statusCode === 200 ? parseCrl(der).revoked : new Map();
    }),
  );
  return serials.every((serial) => lists.some((revoked) => revoked.has(SerialNumber.parse(serial))));
}

/** `revoked` is [1] in the answer's certStatus, with a time; `good` is [0], empty (RFC 6960 §4.2.1). */
async function isAnswered(
  suite: Suite,
  home: string,
  issuerKeyId: string,
  serials: readonly string[],
): Promise<boolean> {
  const authorities = parseCertificates(readFileSync(join(home, 'fleet/trust/vehicle-cas.crt'), 'utf8'));
  const authority = authorities.find(({ subjectKeyId }) => subjectKeyId === issuerKeyId);
  if (!authority) throw new Error('the issuer is not among those that are trusted');
  for (let n = 0; n < SAMPLE; n++) {
    const serial = SerialNumber.parse(serials[Math.floor((n * serials.length) / SAMPLE)]);
    const certId = encodeOcspCertId(authority, serial);
    const { body } = await request(suite.httpUrl('revocation', '/ocsp'), {
      method: 'POST',
      headers: { 'content-type': 'application/ocsp-request' },
      body: Buffer.from(createOcspRequest([certId])),
    });
    const answer = Buffer.from(await body.arrayBuffer());
    const at = answer.indexOf(Buffer.from(certId));
    if (at === -1 || answer[at + certId.length] !== 0xa1) return false;
  }
  return true;
}

async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (const end = Date.now() + GIVE_UP_MS; ; await sleep(500)) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error('it did not come to its end');
  }
}
