import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type ParsedCrl, parseCrl, toPem } from '@outrider/x509';
import { type Suite, startSuite, until, vehicle } from '../suite.fixture.js';
import { Crls } from './crl.repository.js';
import { CrlDrafts } from './crl-drafts.service.js';

const MANY = 6_000;
const OUTPUT = { maxBuffer: 64 * 1_048_576 };
jest.setTimeout(120_000);
let suite: Suite;
let folder: string;
let directory: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'outrider-lists-'));
  directory = mkdtempSync(join(folder, 'files-'));
  suite = await startSuite({ shardCount: 1, directory });
}, 120_000);
afterAll(async () => {
  await suite?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const fetched = async () => new Uint8Array(await (await fetch(`${suite.httpUrl}/crl/0.crl`)).arrayBuffer());
/** The list, as soon as it is as wanted; parsed only when it is another. */
async function list(holds: (crl: ParsedCrl) => boolean = () => true): Promise<ParsedCrl> {
  let last: ParsedCrl | undefined;
  let etag = '';
  await until(async () => {
    const response = await fetch(`${suite.httpUrl}/crl/0.crl`, { headers: { 'if-none-match': etag } });
    if (response.status !== 200) return pause(50);
    etag = response.headers.get('etag') ?? '';
    last = parseCrl(new Uint8Array(await response.arrayBuffer()));
    return holds(last);
  }, 60_000);
  return last as ParsedCrl;
}
const pause = (ms: number) => new Promise<false>((resolve) => setTimeout(() => resolve(false), ms));
const above = (number: bigint | undefined) => (crl: ParsedCrl) => (crl.crlNumber ?? 0n) > (number ?? 0n);

function sameBytes(path: string, bytes: Uint8Array): boolean {
  return existsSync(path) && Buffer.compare(readFileSync(path), bytes) === 0;
}

async function admin(sql: string, parameters: unknown[] = []): Promise<Record<string, string>[]> {
  const client = await suite.database.admin();
  try {
    await client.query('SET search_path TO revocation');
    return (await client.query(sql, parameters)).rows;
  } finally {
    await client.end();
  }
}

async function compromise(name: string): Promise<string> {
  const { ref, certificate } = await vehicle(suite.fleet, name);
  suite.caClerk.certificates.push(certificate);
  expect((await suite.post('/revoke', { serial: ref.serialNumber, reason: 'keyCompromise' })).status).toBe(200);
  return ref.serialNumber;
}

describe('the numbers of a list', () => {
  it('go forward where two replicas publish at once, each number once', async () => {
    const { caClerk } = suite;
    const other = await suite.startApp('revocation-00000002');
    try {
      const from = caClerk.crlRequests.length;
      const serials: string[] = [];
      for (let n = 0; n < 8; n += 1) serials.push(await compromise(`device-raced-${n}`));
      await list((crl) => serials.every((serial) => crl.revoked.has(serial as never)));
      const asked = caClerk.crlRequests.slice(from).map(({ number }) => number);
      expect(asked).toEqual([...new Set(asked)].sort((a, b) => a - b));
      const published = await admin('SELECT number FROM crl_versions ORDER BY published_at, number');
      const numbers = published.map((row) => Number(row.number));
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    } finally {
      await other.close();
    }
  });

  it('go forward where the clock was set back: a list that seems to be of tomorrow is replaced', async () => {
    const before = (await list()).crlNumber;
    await admin(`UPDATE crl_versions SET published_at = published_at + interval '1 day'`);
    expect((await list(above(before))).crlNumber).toBeGreaterThan(before ?? 0n);
  });

  it('go forward where a backup was restored that knows of none of them', async () => {
    const before = (await list()).crlNumber ?? 0n;
    await until(() => Date.now() / 1000 > Number(before) + 1, 60_000);
    await admin('TRUNCATE crl_versions, crl_parts, crl_numbers');
    expect((await list()).crlNumber).toBeGreaterThan(before);
  });

  it('are taken before the entries are read: who reads for long is no later than who began after it', async () => {
    const drafts = suite.app.get(CrlDrafts);
    const write = drafts.write.bind(drafts);
    const meanwhile: number[] = [];
    drafts.write = async (...list) => {
      // As another publisher would, once the lock's connection is lost.
      meanwhile.push(await suite.app.get(Crls).takeNumber({ prefix: '', shard: 0 }, new Date()));
      return write(...list);
    };
    try {
      const serial = await compromise('device-outpaced');
      const { crlNumber } = await list((crl) => crl.revoked.has(serial as never));
      expect(Number(crlNumber)).toBeLessThan(Math.max(...meanwhile));
    } finally {
      drafts.write = write;
    }
  });

  it('cannot be put back, whoever tries', async () => {
    const { crlNumber } = await list();
    await expect(
      admin(
        `INSERT INTO crl_versions SELECT prefix, shard, is_delta, number - 1, base_number, gen_random_uuid(), head, tail,
           parts, entries, bytes, up_to, this_update, next_update, published_at, took_ms
         FROM crl_versions WHERE number = $1`,
        [String(crlNumber)],
      ),
    ).rejects.toThrow('CRL numbers go forward only');
    await expect(admin('UPDATE crl_numbers SET number = number - 1')).rejects.toThrow('CRL numbers go forward only');
  });
});

describe('a long list', () => {
  it('is read in parts by who signs it, served as a stream, and openssl and certtool agree on all of it', async () => {
    const { crlNumber: number, revoked: before } = await list();
    await admin(
      `INSERT INTO revocations (issuer_key_id, serial_number, not_after, crl_shard, reason, revoked_at, revoked_by)
       SELECT $1, to_hex(268435456 + n) || md5('a' || n), now() + interval '1 day', 0, 'superseded', now(), 'test'
       FROM generate_series(1, $2::int) AS n`,
      [suite.fleet.vehicleCa.certificate.subjectKeyId, MANY],
    );
    const serial = await compromise('device-amid');
    const crl = await list((crl) => above(number)(crl) && crl.revoked.has(serial as never));
    const all = before.size + MANY + 1;
    expect(crl.revoked.size).toBe(all);
    const request = suite.caClerk.crlRequests.find(({ number: asked }) => BigInt(asked) === crl.crlNumber);
    expect(request?.entries.bytes).toBeGreaterThan(262_144);

    const response = await fetch(`${suite.httpUrl}/crl/0.crl`);
    const der = new Uint8Array(await response.arrayBuffer());
    expect(response.headers.get('content-length')).toBe(String(der.length));
    const file = join(folder, 'long.crl');
    const ca = join(folder, 'ca.pem');
    writeFileSync(file, der);
    writeFileSync(ca, suite.fleet.vehicleCa.certificatePem);
    const openssl = spawnSync(
      'openssl',
      ['crl', '-inform', 'DER', '-in', file, '-CAfile', ca, '-noout', '-text'],
      OUTPUT,
    );
    expect(openssl.stderr.toString()).toContain('verify OK');
    expect(openssl.stdout.toString().match(/Serial Number:/g)).toHaveLength(all);
    if (spawnSync('certtool', ['--version']).error) return;
    writeFileSync(file, toPem(der, 'X509 CRL'));
    const gnutls = execFileSync('certtool', ['--verify-crl', '--load-ca-certificate', ca, '--infile', file], OUTPUT);
    expect(gnutls.toString()).toContain('Verified');
  });

  it('lies in the folder for web servers, whole, and is never replaced by an older one', async () => {
    const path = join(directory, '0.crl');
    await until(async () => sameBytes(path, await fetched()), 60_000);
    expect(statSync(path).mtimeMs).toBe((await list()).thisUpdate.getTime());
    const ahead = new Date(Date.now() + 3_600_000);
    const before = (await list()).crlNumber;
    utimesSync(path, ahead, ahead);
    const kept = readFileSync(path);
    await compromise('device-unwritten');
    await list(above(before));
    // It looks every second; the delta, which is newer than its file, shows that it has looked.
    const delta = join(directory, '0-delta.crl');
    const served = async () => new Uint8Array(await (await fetch(`${suite.httpUrl}/crl/0-delta.crl`)).arrayBuffer());
    await until(async () => sameBytes(delta, await served()), 60_000);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(readFileSync(path)).toEqual(kept);
  });
});

/** Makes everything half an hour older in one step, between two publications. Returns the drafts that nobody reads since. */
async function aged(): Promise<string[]> {
  const client = await suite.database.admin();
  try {
    await client.query('BEGIN');
    await client.query('SET LOCAL search_path TO revocation');
    await client.query('LOCK TABLE crl_versions IN SHARE ROW EXCLUSIVE MODE');
    const abandoned = randomUUID();
    await client.query(`INSERT INTO crl_parts (draft, part, der) VALUES ($1, 0, '')`, [abandoned]);
    const { rows } = await client.query(`SELECT draft FROM crl_versions v WHERE number < (
      SELECT max(number) FROM crl_versions n WHERE n.is_delta = v.is_delta)`);
    const drafts = [abandoned, ...rows.map(({ draft }) => draft)];
    await client.query(`UPDATE crl_parts SET written_at = now() - interval '1 hour' WHERE draft = ANY($1)`, [drafts]);
    await client.query(`UPDATE crl_versions SET published_at = published_at - interval '30 minutes'`);
    await client.query('COMMIT');
    return drafts;
  } finally {
    await client.end();
  }
}

describe('what nobody reads any more', () => {
  it('is taken away: lists that had a successor for long, drafts that came to nothing', async () => {
    const unread = await aged();
    expect(unread.length).toBeGreaterThan(1);
    const app = await suite.startApp('revocation-00000003');
    const left = 'SELECT 1 FROM crl_parts WHERE draft = ANY($1)';
    await until(async () => (await admin(left, [unread])).length === 0, 60_000);
    await app.close();
    expect((await list()).revoked.size).toBeGreaterThan(MANY);
  });
});
