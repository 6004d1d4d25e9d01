import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseCertificate, parseCertificates, parseCertsOnlyCms } from '@outrider/x509';
import { opensslRequest, type Registry, registryOf } from './registry.fixture.js';
import { run, type Suite, send, startSuite, temporaryDirectory } from './suite.fixture.js';

const pkiHelp = spawnSync('pki', ['--help'], { encoding: 'utf8' });
/** Skipped by its name where strongSwan's pki is not installed or knows no EST. */
const withStrongSwan = `${pkiHelp.stdout}${pkiHelp.stderr}`.includes('--est') ? it : it.skip;

let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite();
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

describe('cacerts', () => {
  it('gives the chain a vehicle needs, to anyone, with its length', async () => {
    const answer = await send(suite, `${suite.vehicleUrl}/.well-known/est/cacerts`);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/pkcs7-mime; smime-type=certs-only');
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
    const chain = parseCertsOnlyCms(answer.body).map((der) => parseCertificate(der).thumbprint);
    expect(chain).toEqual([suite.fleet.vehicleCa, suite.fleet.root].map(({ certificate }) => certificate.thumbprint));
  });

  it('is read by openssl', async () => {
    const answer = await send(suite, `${suite.vehicleUrl}/.well-known/est/cacerts`, {
      headers: { 'user-agent': 'curl' },
    });
    const pem = `-----BEGIN PKCS7-----\n${answer.body}-----END PKCS7-----\n`;
    const printed = await run('openssl', ['pkcs7', '-print_certs'], pem);
    expect(parseCertificates(printed.stdout.toString())).toHaveLength(2);
  });
});

describe('other people’s clients', () => {
  it('curl and openssl enrol a device', async () => {
    const factory = await registry.registered('device-curl');
    const directory = temporaryDirectory();
    const { key, pem } = await opensslRequest('device-curl', 'ec:P-256');
    const file = (name: string, content: string) => {
      writeFileSync(join(directory, name), content);
      return join(directory, name);
    };
    const base64 = pem.replace(/-----[A-Z ]+-----/g, '').trim();
    const [trust, certificate, privateKey, body] = [
      file('trust.pem', suite.fleet.root.certificatePem),
      file('factory.crt', factory.certificatePem),
      file('factory.key', factory.privateKeyPem),
      file('request.b64', base64),
    ];
    const { stdout, code } = await run('curl', [
      ...['-sS', '--fail-with-body', '--cacert', trust, '--cert', certificate, '--key', privateKey],
      ...['-H', 'Content-Type: application/pkcs10', '--data-binary', `@${body}`],
      `${suite.vehicleUrl}/.well-known/est/simpleenroll`,
    ]);
    expect({ code, answer: stdout.toString().slice(0, 3) }).toEqual({ code: 0, answer: 'MII' });
    const pkcs7 = `-----BEGIN PKCS7-----\n${stdout.toString()}-----END PKCS7-----\n`;
    const leaf = file('leaf.crt', (await run('openssl', ['pkcs7', '-print_certs'], pkcs7)).stdout.toString());
    const chain = file('chain.pem', suite.fleet.vehicleCa.certificatePem);
    const verified = await run('openssl', [
      'verify',
      '-CAfile',
      trust,
      '-untrusted',
      chain,
      '-purpose',
      'sslclient',
      leaf,
    ]);
    expect(verified.stdout.toString()).toContain('OK');
    const publicKey = await run('openssl', ['pkey', '-pubout'], key);
    expect((await run('openssl', ['x509', '-in', leaf, '-noout', '-pubkey'])).stdout.toString()).toBe(
      publicKey.stdout.toString(),
    );
  });

  withStrongSwan('strongSwan (pki --est) fetches the CAs, enrols and renews', async () => {
    const factory = await registry.registered('device-swan');
    const directory = temporaryDirectory();
    const path = (name: string) => join(directory, name);
    writeFileSync(path('root.pem'), suite.fleet.root.certificatePem);
    writeFileSync(path('infrastructure.pem'), suite.fleet.infrastructureCa.certificatePem);
    writeFileSync(path('factory.crt'), factory.certificatePem);
    writeFileSync(path('factory.key'), factory.privateKeyPem);
    const url = suite.vehicleUrl;
    const trust = ['--cacert', path('root.pem'), '--cacert', path('infrastructure.pem')];
    const fetched = await run('pki', ['--estca', '--url', url, ...trust, '--caout', path('ca.crt')]);
    expect({ code: fetched.code, text: fetched.stderr }).toMatchObject({ code: 0 });
    for (const name of ['one', 'two']) {
      const made = await run('pki', ['--gen', '--type', 'ecdsa', '--size', '256']);
      writeFileSync(path(`${name}.key`), made.stdout);
      const asked = await run('pki', [
        '--req',
        '--type',
        'priv',
        '--in',
        path(`${name}.key`),
        '--dn',
        'CN=device-swan',
      ]);
      writeFileSync(path(`${name}.req`), asked.stdout);
    }
    const ask = async (csr: string, certificate: string, key: string) => {
      const files = ['--in', path(csr), '--cert', path(certificate), '--key', path(key)];
      const { code, stdout, stderr } = await run('pki', [
        '--est',
        '--url',
        url,
        ...trust,
        '--cacert',
        path('vehicle.pem'),
        ...files,
      ]);
      if (code !== 0) throw new Error(stderr);
      return stdout;
    };
    writeFileSync(path('vehicle.pem'), suite.fleet.vehicleCa.certificatePem);
    writeFileSync(path('one.crt'), await ask('one.req', 'factory.crt', 'factory.key'));
    expect(parseCertificate(readFileSync(path('one.crt'))).subjectCommonName).toBe('device-swan');
    const renewed = parseCertificate(await ask('two.req', 'one.crt', 'one.key'));
    expect(renewed.sanUris).toEqual(['spiffe://fleet.example.com/vehicle/device-swan']);
    expect((await registry.show('device-swan')).certificates.map(({ status }) => status)).toEqual(['pending', 'live']);
  });
});
