import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { certificateIssued } from '@outrider/contracts';
import { SerialNumber } from '@outrider/ids';
import { createTestFleet } from '@outrider/testing';
import { createOcspRequest, encodeOcspCertId, ocspFailure, type ParsedCertificate } from '@outrider/x509';
import { publishEvent, type Suite, startSuite, until, vehicle } from '../suite.fixture.js';
import { OcspService } from './ocsp.service.js';

let suite: Suite;
let folder: string;
let sequence = 0;

beforeAll(async () => {
  suite = await startSuite();
  folder = mkdtempSync(join(tmpdir(), 'outrider-ocsp-'));
  writeFileSync(join(folder, 'ca.crt'), suite.fleet.vehicleCa.certificatePem);
  writeFileSync(join(folder, 'root.crt'), suite.fleet.root.certificatePem);
}, 60_000);
afterAll(async () => {
  await suite?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const failure = (name: Parameters<typeof ocspFailure>[0]) => Buffer.from(ocspFailure(name));
const idOf = (certificate: Pick<ParsedCertificate, 'serialNumber'>, hash: 'sha1' | 'sha256' = 'sha1') =>
  encodeOcspCertId(suite.fleet.vehicleCa.certificate, certificate.serialNumber, hash);

async function post(request: Uint8Array, url = suite.httpUrl): Promise<Buffer> {
  const headers = { 'content-type': 'application/ocsp-request' };
  const response = await fetch(`${url}/ocsp`, { method: 'POST', headers, body: Buffer.from(request) });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/ocsp-response']);
  return Buffer.from(await response.arrayBuffer());
}

const pathOf = (request: Uint8Array) => `/ocsp/${encodeURIComponent(Buffer.from(request).toString('base64'))}`;

/** A vehicle's certificate that revocation has heard of. */
async function issued() {
  sequence += 1;
  const party = await vehicle(suite.fleet, `device-ocsp-${sequence}`);
  const connection = await suite.nats.connectAs('fleet-ca');
  const issuedAt = new Date().toISOString();
  await publishEvent(connection, certificateIssued, {
    profile: 'vehicle',
    requestedBy: 'provisioning',
    ref: party.ref,
    issuedAt,
  });
  await connection.close();
  const ask = () => post(createOcspRequest([idOf(party.certificate)]));
  await until(
    async () => !(await ask()).equals(failure('tryLater')) && !(await openssl(party.certificate)).includes('unknown'),
  );
  return party;
}

/** What openssl says, having verified it against the root. */
async function openssl(certificate: ParsedCertificate, ...options: string[]): Promise<string> {
  const asked = ['-issuer', 'ca.crt', ...options, '-serial', `0x${certificate.serialNumber}`];
  const args = ['ocsp', ...asked, '-url', `${suite.httpUrl}/ocsp`, '-CAfile', 'root.crt', '-verify_other', 'ca.crt'];
  const { stdout, stderr } = await promisify(execFile)('openssl', args, { cwd: folder });
  return stderr + stdout;
}

describe('/ocsp, asked by openssl', () => {
  it('says good of a live certificate, by either hash, with and without a nonce', async () => {
    const { certificate } = await issued();
    for (const options of [[], ['-no_nonce'], ['-sha256'], ['-sha256', '-no_nonce']]) {
      const text = await openssl(certificate, ...options);
      expect(text).toContain('Response verify OK');
      expect(text).toContain(`0x${certificate.serialNumber}: good`);
      expect(text).not.toContain('WARNING');
    }
  });

  it('says revoked as soon as it is, though good was in memory, and gives the reason', async () => {
    const { certificate } = await issued();
    expect(await openssl(certificate, '-no_nonce')).toContain(': good');
    expect((await suite.post('/revoke', { serial: certificate.serialNumber, reason: 'superseded' })).status).toBe(200);
    await until(async () => (await openssl(certificate, '-no_nonce')).includes(': revoked'));
    const text = await openssl(certificate);
    expect(text).toMatch(/Response verify OK[\s\S]*: revoked[\s\S]*Reason: superseded/);
    await suite.post('/revoke', { serial: certificate.serialNumber, reason: 'key-compromise' });
    await until(async () => (await openssl(certificate, '-no_nonce')).includes('Reason: keyCompromise'));
  });

  it('says good again once a hold is released', async () => {
    const { certificate } = await issued();
    const target = { serial: certificate.serialNumber };
    expect((await suite.post('/revoke', { ...target, reason: 'certificateHold' })).status).toBe(200);
    await until(async () => /: revoked[\s\S]*Reason: certificateHold/.test(await openssl(certificate, '-no_nonce')));
    expect((await suite.post('/v1/revocations/release', target)).status).toBe(200);
    await until(async () => (await openssl(certificate, '-no_nonce')).includes(': good'));
    expect(await openssl(certificate)).toMatch(/Response verify OK[\s\S]*: good/);
  });

  it('says likewise of what force named by its thumbprint alone: held, released, held again and then compromised', async () => {
    const { certificate, ref } = await issued();
    const admin = await suite.database.admin();
    // As it is where force came before anyone knew the certificate.
    const force = (reason: string) =>
      admin.query(
        `INSERT INTO revocations (thumbprint, reason, revoked_at, revoked_by) VALUES ($1, $2, now(), 'op:1')`,
        [ref.thumbprint, reason],
      );
    const says = (what: RegExp) => until(async () => what.test(await openssl(certificate, '-no_nonce')));
    await says(/: good/);
    await force('certificateHold');
    await says(/: revoked[\s\S]*Reason: certificateHold/);
    expect((await suite.post('/v1/revocations/release', { thumbprint: ref.thumbprint })).status).toBe(200);
    await says(/: good/);
    await force('certificateHold');
    await force('keyCompromise');
    await admin.end();
    await says(/: revoked[\s\S]*Reason: keyCompromise/);
  });

  it('forgets what it held when its connection to PostgreSQL was lost meanwhile', async () => {
    const { certificate } = await issued();
    expect(await openssl(certificate, '-no_nonce')).toContain(': good');
    const admin = await suite.database.admin();
    // Every connection of the service; then a revocation that no notification tells of.
    await admin.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    await admin.end();
    await until(async () => {
      const { status } = await suite.post('/revoke', { serial: certificate.serialNumber, reason: 'superseded' });
      return status === 200;
    });
    await until(async () => (await openssl(certificate, '-no_nonce')).includes(': revoked'));
  });

  it('says unknown of a serial number that was never issued, asking fleet-ca once', async () => {
    const serialNumber = SerialNumber.parse(randomBytes(16).toString('hex').replace(/^./, '7'));
    for (let time = 0; time < 3; time += 1) {
      expect(await openssl({ serialNumber } as ParsedCertificate)).toMatch(/Response verify OK[\s\S]*: unknown/);
    }
    expect(suite.caClerk.askedFor.filter((asked) => asked === serialNumber)).toHaveLength(1);
  });

  it('says good of what fleet-ca signed though its event has not come, and revoked of what force denied', async () => {
    const { certificate } = await vehicle(suite.fleet, 'device-ocsp-early');
    suite.caClerk.certificates.push(certificate);
    expect(await openssl(certificate)).toMatch(/Response verify OK[\s\S]*: good/);
    const serialNumber = SerialNumber.parse(randomBytes(16).toString('hex').replace(/^./, '7'));
    const revoked = await suite.post('/revoke', { serial: serialNumber, reason: 'superseded', force: true });
    expect(revoked.status).toBe(200);
    expect(await openssl({ serialNumber } as ParsedCertificate)).toMatch(/: revoked[\s\S]*Reason: superseded/);
  });

  it('calls nothing good before its event came, where its key was revoked by name', async () => {
    const { certificate, ref } = await vehicle(suite.fleet, 'device-ocsp-key');
    const key = { key: ref.keyThumbprint, reason: 'superseded', force: true };
    expect((await suite.post('/revoke', key)).status).toBe(200);
    suite.caClerk.certificates.push(certificate);
    expect(await post(createOcspRequest([idOf(certificate)]))).toEqual(failure('tryLater'));
  });

  it('answers for several at once', async () => {
    const [{ certificate: first }, { certificate: second }] = [await issued(), await issued()];
    await suite.post('/revoke', { serial: second.serialNumber, reason: 'cessationOfOperation' });
    const text = await openssl(first, '-serial', `0x${second.serialNumber}`);
    expect(text).toContain('Response verify OK');
    expect(text).toContain(`0x${first.serialNumber}: good`);
    expect(text).toMatch(new RegExp(`0x${second.serialNumber}: revoked[\\s\\S]*Reason: cessationOfOperation`));
  });
});

describe('GET /ocsp/<request>', () => {
  it('can be cached: type, length, ETag, dates, 304, HEAD; the same bytes as POST and on every replica', async () => {
    const { certificate } = await issued();
    const request = createOcspRequest([idOf(certificate)]);
    const response = await fetch(suite.httpUrl + pathOf(request));
    const body = Buffer.from(await response.arrayBuffer());
    expect(response.status).toBe(200);
    const headers = Object.fromEntries(response.headers);
    expect(headers).toMatchObject({
      'content-type': 'application/ocsp-response',
      'content-length': String(body.length),
      'cache-control': 'max-age=60, public, no-transform, must-revalidate',
      etag: expect.stringMatching(/^"[\w-]+"$/),
    });
    const lifeMs = Date.parse(String(headers.expires)) - Date.parse(String(headers['last-modified']));
    expect(lifeMs).toBe(suite.config.ocsp.validitySeconds * 1000);

    const known = { headers: { 'if-none-match': String(headers.etag) } };
    expect((await fetch(suite.httpUrl + pathOf(request), known)).status).toBe(304);
    const head = await fetch(suite.httpUrl + pathOf(request), { method: 'HEAD' });
    expect([head.headers.get('content-length'), (await head.arrayBuffer()).byteLength]).toEqual([
      String(body.length),
      0,
    ]);
    expect(await post(request)).toEqual(body);
    // The path as it is, with slashes and plus signs in it, means the same.
    const bare = await fetch(`${suite.httpUrl}/ocsp/${Buffer.from(request).toString('base64')}`);
    expect(Buffer.from(await bare.arrayBuffer())).toEqual(body);

    suite.caClerk.refusesSigners = true;
    const other = await suite.startApp('revocation-00000002');
    try {
      // It has no signer of its own, and says what the first one signed; of what nobody signed, that it cannot say.
      const ocsp = other.get(OcspService);
      expect(await ocsp.answer(Buffer.from(request))).toMatchObject({ der: body });
      const fresh = await issued();
      const unsigned = Buffer.from(createOcspRequest([idOf(fresh.certificate, 'sha256')]));
      expect(Buffer.from((await ocsp.answer(unsigned)).der)).toEqual(failure('tryLater'));
      suite.caClerk.refusesSigners = false;
      await until(async () => !Buffer.from((await ocsp.answer(unsigned)).der).equals(failure('tryLater')));
      expect(ocsp.fromMemory(unsigned, Date.now())).toBeDefined();
      // A revocation through one replica empties the other's memory, which signs anew what it was asked before.
      const good = ocsp.fromMemory(unsigned, Date.now())?.der;
      await suite.post('/revoke', { serial: fresh.certificate.serialNumber, reason: 'superseded' });
      await until(async () => ![undefined, good].includes(ocsp.fromMemory(unsigned, Date.now())?.der));
      await until(async () => (await openssl(fresh.certificate, '-sha256', '-no_nonce')).includes(': revoked'));
      expect(await ocsp.answer(unsigned)).toMatchObject({ der: await post(unsigned) });
    } finally {
      suite.caClerk.refusesSigners = false;
      await other.close();
    }
  });

  it('answers what is no request by OCSP’s own word', async () => {
    const paths = ['/ocsp', '/ocsp/', '/ocsp/%', '/ocsp/AAAA', '/ocsp/not-base64!', '/ocsp?x=1'];
    for (const path of paths) {
      const response = await fetch(suite.httpUrl + path);
      expect([path, response.status]).toEqual([path, 200]);
      expect(Buffer.from(await response.arrayBuffer())).toEqual(failure('malformedRequest'));
      expect(response.headers.get('cache-control')).toBe('no-store');
    }
    expect((await fetch(`${suite.httpUrl}/ocspx`)).status).toBe(404);
    expect((await fetch(`${suite.httpUrl}/ocsp`, { method: 'DELETE' })).status).toBe(405);
  });
});

describe('POST /ocsp', () => {
  it('is unauthorized to speak for another issuer, alone or beside its own', async () => {
    const foreign = await createTestFleet();
    const { certificate } = await issued();
    const theirs = encodeOcspCertId(foreign.vehicleCa.certificate, certificate.serialNumber);
    const infrastructure = encodeOcspCertId(suite.fleet.infrastructureCa.certificate, certificate.serialNumber);
    for (const ids of [[theirs], [infrastructure], [idOf(certificate), theirs]]) {
      expect(await post(createOcspRequest(ids))).toEqual(failure('unauthorized'));
    }
  });

  it('refuses nonsense and what is too large, by announcement or by growing', async () => {
    for (const nonsense of [
      new Uint8Array(),
      Buffer.from('hello'),
      createOcspRequest([idOf(suite.fleet.root.certificate)], new Uint8Array(129)),
    ]) {
      expect(await post(nonsense)).toEqual(failure('malformedRequest'));
    }
    const large = await fetch(`${suite.httpUrl}/ocsp`, { method: 'POST', body: new Uint8Array(5000) });
    expect(large.status).toBe(413);
    const grown = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(3000)),
    });
    const answer = await fetch(`${suite.httpUrl}/ocsp`, {
      method: 'POST',
      body: grown,
      duplex: 'half',
    } as RequestInit).then(
      ({ status }) => status,
      () => 'cut',
    );
    expect([413, 'cut']).toContain(answer);
  });

  it('repeats a nonce as long as it may sign afresh, and then leaves it out', async () => {
    const { certificate } = await issued();
    const plain = await post(createOcspRequest([idOf(certificate)]));
    const nonces = Array.from({ length: 120 }, () => randomBytes(32));
    // All at once, so that no second passes between them.
    const ocsp = suite.app.get(OcspService);
    const asked = nonces.map((nonce) => ocsp.answer(Buffer.from(createOcspRequest([idOf(certificate)], nonce))));
    const answers = (await Promise.all(asked)).map(({ der }) => Buffer.from(der));
    const repeated = answers.filter((answer, i) => answer.includes(nonces[i] as Buffer));
    const without = answers.filter((answer) => answer.equals(plain));
    expect(repeated.length).toBeGreaterThan(0);
    expect(repeated.length + without.length).toBe(120);
    expect(without.length).toBeGreaterThan(0);
  });
});
