import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { crlShard, parseCrl, verifyCrl } from '@outrider/x509';
import { type Suite, startSuite, until, vehicle } from '../suite.fixture.js';

let suite: Suite;

beforeAll(async () => {
  suite = await startSuite();
}, 120_000);
afterAll(async () => {
  await suite?.stop();
});

async function get(shard: number | string, headers: Record<string, string> = {}) {
  const response = await fetch(`${suite.httpUrl}/crl/${shard}.crl`, { headers });
  return { response, der: new Uint8Array(await response.arrayBuffer()) };
}

describe('GET /crl/<shard>.crl', () => {
  it('serves every shard from the start: signed, current, with ETag and type, for anyone', async () => {
    for (const shard of [0, 1]) {
      await until(async () => (await get(shard)).response.status === 200);
      const { response, der } = await get(shard);
      expect(response.headers.get('content-type')).toBe('application/pkix-crl');
      expect(response.headers.get('cache-control')).toMatch(/max-age=\d+/);
      const crl = parseCrl(der);
      verifyCrl(crl, suite.fleet.vehicleCa.certificate, new Date());
      expect(crl.scope?.uris).toEqual([`${suite.config.crl.baseUrl}/${shard}.crl`]);
      const etag = response.headers.get('etag') ?? '';
      expect((await get(shard, { 'if-none-match': etag })).response.status).toBe(304);
      expect((await get(shard, { 'if-none-match': '"0-1"' })).response.status).toBe(200);
      const modified = response.headers.get('last-modified') ?? '';
      expect(new Date(modified)).toEqual(crl.thisUpdate);
      expect((await get(shard, { 'if-modified-since': modified })).response.status).toBe(304);
      const before = new Date(crl.thisUpdate.getTime() - 1000).toUTCString();
      expect((await get(shard, { 'if-modified-since': before })).response.status).toBe(200);
      const head = await fetch(`${suite.httpUrl}/crl/${shard}.crl`, { method: 'HEAD' });
      expect([head.status, head.headers.get('content-length')]).toEqual([200, String(der.length)]);
    }
  });

  it('answers 404 for what is no shard', async () => {
    const response = await fetch(`${suite.httpUrl}/crl/2.crl`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'revocation.crl_not_found' });
  });

  it('lists a compromised certificate at once, under a higher number, and openssl agrees', async () => {
    const { ref, certificate } = await vehicle(suite.fleet, 'device-crl');
    suite.caClerk.certificates.push(certificate);
    const shard = crlShard(ref.serialNumber, 2);
    const before = parseCrl((await get(shard)).der);
    const otherBefore = parseCrl((await get(1 - shard)).der);
    expect((await suite.post('/revoke', { serial: ref.serialNumber, reason: 'key-compromise' })).status).toBe(200);
    await until(async () => parseCrl((await get(shard)).der).revoked.has(ref.serialNumber));
    const { der } = await get(shard);
    const after = parseCrl(der);
    expect(after.revoked.get(ref.serialNumber)).toMatchObject({ reason: 'keyCompromise' });
    expect(after.crlNumber).toBeGreaterThan(before.crlNumber ?? 0n);
    expect(parseCrl((await get(1 - shard)).der).crlNumber).toBe(otherBefore.crlNumber);
    const directory = mkdtempSync(join(tmpdir(), 'outrider-crl-'));
    writeFileSync(join(directory, 'ca.pem'), suite.fleet.vehicleCa.certificatePem);
    writeFileSync(join(directory, 'list.crl'), der);
    const { stdout, stderr } = await promisify(execFile)('openssl', [
      ...['crl', '-inform', 'DER', '-in', join(directory, 'list.crl'), '-CAfile', join(directory, 'ca.pem')],
      ...['-noout', '-text', '-verify'],
    ]);
    expect(stderr + stdout).toContain('verify OK');
    expect(stdout.toLowerCase()).toContain(`serial number: ${ref.serialNumber}`);
    expect(stdout).toContain('Key Compromise');
  });

  it('keeps the lists of two issuing CAs apart, each with the certificates of its own', async () => {
    const issuerKeyId = 'c0'.repeat(20);
    const crlPrefix = `${'c0'.repeat(8)}-`;
    expect((await get(`${crlPrefix}0`)).response.status).toBe(404);
    suite.caClerk.furtherIssuers.push({ authority: 'vehicle-ca', generation: 2, issuerKeyId, crlPrefix });
    await until(async () => (await get(`${crlPrefix}0`)).response.status === 200);
    const crl = parseCrl((await get(`${crlPrefix}0`)).der);
    expect(crl.scope?.uris).toEqual([`${suite.config.crl.baseUrl}/${crlPrefix}0.crl`]);
    expect(suite.caClerk.crlRequests.at(-1)).toMatchObject({ issuerKeyId, entries: { count: 0 } });
    expect(suite.caClerk.crlRequests.some(({ entries }) => entries.count > 0)).toBe(true);
  });

  it('goes on from memory and table alone while fleet-ca is away', async () => {
    await suite.caClerk.stop();
    const { ref } = await vehicle(suite.fleet, 'device-late');
    await suite.post('/revoke', { serial: ref.serialNumber, reason: 'keyCompromise', force: true });
    expect((await get(0)).response.status).toBe(200);
    expect((await get(1)).response.status).toBe(200);
  });
});
