import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { parseCrl, toPem, verifyCrl } from '@outrider/x509';
import { type Suite, startSuite, until, vehicle } from '../suite.fixture.js';

jest.setTimeout(120_000);
let suite: Suite;
let folder: string;

beforeAll(async () => {
  suite = await startSuite({ shardCount: 1 });
  folder = mkdtempSync(join(tmpdir(), 'outrider-delta-'));
}, 120_000);
afterAll(async () => {
  await suite?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const fetched = async (file: string) => {
  const response = await fetch(`${suite.httpUrl}/crl/${file}`);
  return { status: response.status, der: new Uint8Array(await response.arrayBuffer()) };
};
const list = async (file: string) => {
  await until(async () => (await fetched(file)).status === 200, 60_000);
  return parseCrl((await fetched(file)).der);
};

async function enrolled(name: string) {
  const made = await vehicle(suite.fleet, name);
  suite.caClerk.certificates.push(made.certificate);
  return made;
}

const revoke = async (serial: string, reason: string) =>
  expect((await suite.post('/revoke', { serial, reason })).status).toBe(200);

/** openssl's verdict on a certificate, by these lists. */
function openssl(certificate: Uint8Array, lists: readonly Uint8Array[]): string {
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const { root, vehicleCa } = suite.fleet;
  const { stdout, stderr } = spawnSync('openssl', [
    ...['verify', '-crl_check', '-extended_crl', '-use_deltas', '-CAfile', file('root.pem', root.certificatePem)],
    ...['-untrusted', file('ca.pem', vehicleCa.certificatePem)],
    ...['-CRLfile', file('lists.pem', lists.map((der) => toPem(der, 'X509 CRL')).join(''))],
    file('leaf.pem', toPem(certificate, 'CERTIFICATE')),
  ]);
  return `${stdout}${stderr}`;
}

describe('GET /crl/<shard>-delta.crl', () => {
  it('is there from the start, empty, and named by the full list', async () => {
    const full = await list('0.crl');
    const delta = await list('0-delta.crl');
    expect(full.freshestCrls).toEqual([`${suite.config.crl.baseUrl}/0-delta.crl`]);
    verifyCrl(delta, suite.fleet.vehicleCa.certificate, new Date());
    expect(delta.baseCrlNumber).toBe(full.crlNumber);
    expect(delta.crlNumber).toBeGreaterThan(full.crlNumber ?? 0n);
    expect(delta.scope).toEqual(full.scope);
    expect(delta.revoked.size).toBe(0);
  });

  it('goes on from a list that others may still hold, and openssl reads the two together', async () => {
    const { der: base } = await fetched('0.crl');
    const stolen = await enrolled('device-stolen');
    const honest = await enrolled('device-honest');
    await revoke(stolen.ref.serialNumber, 'keyCompromise');
    await until(async () => (await list('0-delta.crl')).revoked.has(stolen.ref.serialNumber), 60_000);
    const { der: delta } = await fetched('0-delta.crl');
    expect(openssl(stolen.certificate.der, [base])).toContain('OK');
    expect(openssl(stolen.certificate.der, [base, delta])).toContain('certificate revoked');
    expect(openssl(honest.certificate.der, [base, delta])).toContain('OK');
    await until(async () => (await list('0.crl')).revoked.has(stolen.ref.serialNumber), 60_000);
    expect(openssl(stolen.certificate.der, [(await fetched('0.crl')).der])).toContain('certificate revoked');
  });

  it('takes a hold off the list when it is released, at once', async () => {
    const held = await enrolled('device-held');
    const { serialNumber } = held.ref;
    await revoke(serialNumber, 'certificateHold');
    // A hold waits for the cadence; a compromised key does not, and takes it along.
    await revoke((await enrolled('device-other')).ref.serialNumber, 'keyCompromise');
    await until(async () => (await list('0.crl')).revoked.get(serialNumber)?.reason === 'certificateHold', 60_000);
    const { der: base } = await fetched('0.crl');
    expect(openssl(held.certificate.der, [base])).toContain('certificate revoked');
    const released = await suite.post('/v1/revocations/release', { serial: serialNumber, note: 'found' });
    expect(released.status).toBe(200);
    await until(async () => (await list('0-delta.crl')).revoked.get(serialNumber)?.reason === 'removeFromCRL', 60_000);
    const { der: delta } = await fetched('0-delta.crl');
    expect(openssl(held.certificate.der, [base, delta])).toContain('OK');
    await until(async () => !(await list('0.crl')).revoked.has(serialNumber), 60_000);
    expect(openssl(held.certificate.der, [(await fetched('0.crl')).der])).toContain('OK');
  });

  it('lists what was held again as revoked, whatever it was before', async () => {
    const { ref } = await enrolled('device-twice');
    const { serialNumber } = ref;
    await revoke(serialNumber, 'certificateHold');
    expect((await suite.post('/v1/revocations/release', { serial: serialNumber, note: 'found' })).status).toBe(200);
    await revoke(serialNumber, 'keyCompromise');
    await until(async () => (await list('0-delta.crl')).revoked.get(serialNumber)?.reason === 'keyCompromise', 60_000);
    await until(async () => (await list('0.crl')).revoked.get(serialNumber)?.reason === 'keyCompromise', 60_000);
  });
});
