import { randomBytes } from 'node:crypto';
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
const gnutls = itWith(['curl', 'openssl', 'ocsptool']);

/** Of the vehicle issuing CA, by EST, and where its certificates say that their status is told. */
let issuer: string;
let url: string;

/** What openssl prints, having verified the answer against the fleet's root. */
async function openssl(...asked: string[]): Promise<string> {
  const trust = ['-CAfile', endpoints.trust.fleetRoot, '-verify_other', issuer];
  const { stdout, stderr } = await must('openssl', ['ocsp', '-issuer', issuer, ...asked, '-url', url, ...trust]);
  expect(stderr).toContain('Response verify OK');
  return stderr + stdout;
}

const revoke = (body: object) => operator('revocation', 'POST', '/revoke', { body });

describe('OCSP', () => {
  let vehicle: Vehicle;

  beforeAll(async () => {
    vehicle = await Vehicle.enrol('status');
    const { body } = await curl(`${at('provisioning', 'vehicle')}/.well-known/est/cacerts`);
    const { stdout } = await must('openssl', ['x509', '-in', vehicle.certificate, '-noout', '-issuer_hash']);
    for (const [index, pem] of (await certificatesOf(body)).entries()) {
      const ca = file(`ca-${index}.crt`, pem);
      const hash = await must('openssl', ['x509', '-in', ca, '-noout', '-subject_hash']);
      if (hash.stdout === stdout) issuer = ca;
    }
    url = (await must('openssl', ['x509', '-in', vehicle.certificate, '-noout', '-ocsp_uri'])).stdout.trim();
    // The responder knows a certificate as soon as its event has come.
    await until('known', async () => (await openssl('-cert', vehicle.certificate)).includes(': good'));
  });

  test('the certificate names a responder on the plain listener', async () => {
    expect(url).toBe(`${at('revocation', 'http')}/ocsp`);
  });

  test('openssl: good, by either hash, with a nonce and without', async () => {
    for (const options of [[], ['-no_nonce'], ['-sha256'], ['-sha256', '-no_nonce']]) {
      const text = await openssl(...options, '-cert', vehicle.certificate);
      expect(text).toContain(': good');
      expect(text).not.toContain('WARNING');
    }
  });

  gnutls('ocsptool: good, with a nonce and without', async () => {
    for (const options of [['--nonce'], ['--no-nonce']]) {
      expect(await ocsptool(...options)).toMatchObject({ status: 'good', verified: true });
    }
  });

  test('curl: the form that caches keep, and its ETag', async () => {
    const request = inFolder('request.der');
    await must('openssl', ['ocsp', '-issuer', issuer, '-cert', vehicle.certificate, '-no_nonce', '-reqout', request]);
    const { stdout } = await must('openssl', ['base64', '-A', '-in', request]);
    const path = `${url}/${encodeURIComponent(stdout)}`;
    const answer = await curl(path, ['-o', '/dev/null', '-D', '-']);
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/ocsp-response',
      'cache-control': expect.stringMatching(/^max-age=\d+, public, no-transform, must-revalidate$/),
    });
    expect((await curl(path, ['-H', `If-None-Match: ${answer.headers.etag}`])).status).toBe(304);
  });

  test('a serial number that was never issued is unknown; another issuer’s is not for this responder to say', async () => {
    expect(await openssl('-serial', `0x7f${randomBytes(15).toString('hex')}`)).toContain(': unknown');
    const root = ['ocsp', '-issuer', endpoints.trust.fleetRoot, '-serial', '1', '-url', url];
    const answer = await run('openssl', root);
    expect(answer.stdout + answer.stderr).toContain('unauthorized (6)');
  });

  test('revoked, though good was in memory, with its reason', async () => {
    const asked = ['-no_nonce', '-cert', vehicle.certificate];
    expect(await openssl(...asked)).toContain(': good');
    const answer = await revoke({ serial: await serialOf(vehicle.certificate), reason: 'key-compromise' });
    expect(answer.status).toBe(200);
    await until('revoked', async () => (await openssl(...asked)).includes(': revoked'), {
      withinMs: 20_000,
      everyMs: 20,
    });
    expect(await openssl('-cert', vehicle.certificate)).toMatch(/: revoked[\s\S]*Reason: keyCompromise/);
  });

  gnutls('ocsptool: revoked', async () => {
    expect(await ocsptool('--nonce')).toMatchObject({ status: 'revoked', verified: true });
  });

  async function ocsptool(...options: string[]) {
    const certificates = ['--load-cert', vehicle.certificate, '--load-issuer', issuer];
    const trust = ['--load-trust', issuer];
    const { stdout, stderr } = await run('ocsptool', [`--ask=${url}`, ...options, ...certificates, ...trust]);
    const said = stdout + stderr;
    return {
      status: /Certificate Status: (\w+)/.exec(said)?.[1],
      verified: /Verifying OCSP Response: Success/.test(said),
      said,
    };
  }
});
