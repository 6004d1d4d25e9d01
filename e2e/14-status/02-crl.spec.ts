import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect } from '@jest/globals';
import { curl } from '../harness/curl.js';
import { at, endpoints } from '../harness/endpoints.js';
import { file, inFolder } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { certificatesOf, serialOf } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { must, run } from '../harness/run.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
const gnutls = itWith(['curl', 'openssl', 'certtool']);

let vehicle: Vehicle;
let bystander: Vehicle;
/** The issuing CA's certificates that the fleet gives out. */
let issuers: string;
/** Where the certificate says that its list is. */
let url: string;

/** Fetches a list as a file, PEM. */
async function list(address: string, name: string): Promise<string> {
  const der = inFolder(`${name}.der`);
  await must('curl', ['-sSf', '-o', der, address]);
  await must('openssl', ['crl', '-inform', 'DER', '-in', der, '-out', inFolder(`${name}.pem`)]);
  return inFolder(`${name}.pem`);
}

async function deltaAddress(of: string): Promise<string> {
  const { stdout } = await must('openssl', ['crl', '-in', of, '-noout', '-text']);
  return /Freshest CRL:[\s\S]*?URI:(\S+)/.exec(stdout)?.[1] ?? '';
}

/** openssl's verdict on a certificate, down from the root, by these lists. */
async function verdict(certificate: string, lists: readonly string[], ...options: string[]): Promise<string> {
  const together = file('lists.pem', lists.map((one) => readFileSync(one, 'utf8')).join(''));
  const { stdout, stderr } = await run('openssl', [
    ...['verify', '-crl_check', ...options, '-CAfile', endpoints.trust.fleetRoot, '-untrusted', issuers],
    ...['-CRLfile', together, certificate],
  ]);
  return stdout + stderr;
}

const deltas = ['-extended_crl', '-use_deltas'];

describe('the lists of revoked certificates', () => {
  beforeAll(async () => {
    [vehicle, bystander] = [await Vehicle.enrol('listed'), await Vehicle.enrol('unlisted')];
    const { body } = await curl(`${at('provisioning', 'vehicle')}/.well-known/est/cacerts`);
    issuers = file('issuers.pem', (await certificatesOf(body)).join(''));
    const { stdout } = await must('openssl', [
      ...['x509', '-in', vehicle.certificate, '-noout', '-ext', 'crlDistributionPoints'],
    ]);
    url = /URI:(\S+)/.exec(stdout)?.[1] ?? '';
  });

  test('a certificate names its list, which openssl verifies and finds it absent from', async () => {
    expect(url).toMatch(new RegExp(`^${at('revocation', 'http')}/crl/(?:[0-9a-f]{16}-)?\\d+\\.crl$`));
    expect(await verdict(vehicle.certificate, [await list(url, 'before')])).toContain('OK');
  });

  test('after a compromise the list has it, and so has the delta to a list of before', async () => {
    const before = await list(url, 'base');
    const serial = await serialOf(vehicle.certificate);
    const { status } = await operator('revocation', 'POST', '/revoke', { body: { serial, reason: 'key-compromise' } });
    expect(status).toBe(200);
    await until('the delta has it', async () => {
      const delta = await list(await deltaAddress(before), 'delta');
      return (await verdict(vehicle.certificate, [before, delta], ...deltas)).includes('certificate revoked');
    });
    expect(await verdict(vehicle.certificate, [before])).toContain('OK');
    await until('the full list has it', async () =>
      (await verdict(vehicle.certificate, [await list(url, 'after')])).includes('certificate revoked'),
    );
    const { stdout } = await must('openssl', ['crl', '-in', inFolder('after.pem'), '-noout', '-text']);
    expect(stdout.toLowerCase()).toContain(`serial number: ${serial.toLowerCase()}`);
    expect(stdout).toContain('Key Compromise');
  });

  test('who is not on the list is good by the list and the delta together', async () => {
    const { stdout } = await must('openssl', [
      ...['x509', '-in', bystander.certificate, '-noout', '-ext', 'crlDistributionPoints'],
    ]);
    const own = await list(/URI:(\S+)/.exec(stdout)?.[1] ?? '', 'own');
    const delta = await list(await deltaAddress(own), 'own-delta');
    expect(await verdict(bystander.certificate, [own, delta], ...deltas)).toContain('OK');
  });

  gnutls('certtool verifies the full list and the delta', async () => {
    const full = await list(url, 'gnutls');
    for (const one of [full, await list(await deltaAddress(full), 'gnutls-delta')]) {
      const { stdout } = await must('certtool', ['--verify-crl', '--load-ca-certificate', issuers, '--infile', one]);
      expect(stdout).toContain('Verified');
    }
  });

  test('curl: what a cache needs to keep it', async () => {
    const { status, headers } = await curl(url, ['-I']);
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'application/pkix-crl', 'cache-control': 'public, max-age=60' });
    expect(Number(headers['content-length'])).toBeGreaterThan(100);
    expect(Date.parse(headers.expires ?? '')).toBeGreaterThan(Date.now());
    expect(Date.parse(headers['last-modified'] ?? '')).toBeLessThanOrEqual(Date.now());
    for (const condition of [`If-None-Match: ${headers.etag}`, `If-Modified-Since: ${headers['last-modified']}`]) {
      expect((await curl(url, ['-H', condition])).status).toBe(304);
    }
  });
});
