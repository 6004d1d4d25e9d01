import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import { createTestFleet, issueVehicle, type KeyType, type TestFleet } from '@outrider/testing';

const directory = mkdtempSync(join(tmpdir(), 'outrider-bundle-'));
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const device = DeviceId.parse('device-7');
let fleet: TestFleet;

beforeAll(async () => {
  fleet = await createTestFleet();
  file('chain.pem', fleet.root.certificatePem + fleet.vehicleCa.certificatePem);
  file('password', 'pä§§ wörd\n');
});

afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string): string {
  writeFileSync(join(directory, name), content);
  return join(directory, name);
}

function outrider(...args: string[]) {
  const env = { PATH: process.env.PATH ?? '', OUTRIDER_HOME: directory };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: directory, env });
  return { status, out: stdout.toString(), err: stderr.toString() };
}

async function vehicleFiles(keyType: KeyType): Promise<string[]> {
  const { certificatePem, privateKeyPem } = await issueVehicle(fleet, device, { keyType });
  return ['--certificate', file(`${keyType}.crt`, certificatePem), '--key', file(`${keyType}.key`, privateKeyPem)];
}

describe('a bundle', () => {
  test.each<KeyType>(['P-256', 'P-384', 'Ed25519'])('of a %s key is read by openssl and by Node', async (keyType) => {
    const out = join(directory, `${keyType}.p12`);
    const passwordFile = join(directory, 'password');
    const made = outrider(
      ...['bundle', ...(await vehicleFiles(keyType)), '--chain', 'chain.pem', '--out', out],
      ...['--password-file', passwordFile, '--name', 'My Wagen'],
    );
    expect(made).toMatchObject({ status: 0, err: '' });
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const openssl = ['pkcs12', '-in', out, '-passin', `file:${passwordFile}`];
    const { stdout, stderr, status } = spawnSync('openssl', [...openssl, '-info', '-nodes']);
    expect(status).toBe(0);
    expect(stderr.toString()).toMatch(/MAC: sha256, Iteration 20000/);
    expect(stderr.toString().match(/PBES2, PBKDF2, AES-256-CBC, Iteration 20000, PRF hmacWithSHA256/g)).toHaveLength(2);
    const text = stdout.toString();
    expect(text.match(/friendlyName: My Wagen/g)).toHaveLength(2);
    expect(text.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
    expect(text).toContain('BEGIN PRIVATE KEY');
    const leaf = execFileSync('openssl', [...openssl, '-clcerts', '-nokeys']).toString();
    expect(leaf).toContain(
      readFileSync(join(directory, `${keyType}.crt`), 'utf8')
        .trim()
        .split('\n')[1],
    );
    const wrong = spawnSync('openssl', ['pkcs12', '-in', out, '-passin', 'pass:wrong', '-noout']);
    expect(wrong.status).not.toBe(0);
    expect(() => createSecureContext({ pfx: readFileSync(out), passphrase: 'pä§§ wörd' })).not.toThrow();
    expect(() => createSecureContext({ pfx: readFileSync(out), passphrase: 'wrong' })).toThrow(/mac verify/);
  });

  it('makes a password of its own, beside it and for the owner alone', async () => {
    const out = join(directory, 'own.p12');
    const args = ['bundle', ...(await vehicleFiles('P-256')), '--out', out];
    const made = outrider(...args, '--json');
    expect(JSON.parse(made.out)).toEqual({
      bundle: out,
      password_file: `${out}.password`,
      name: device,
      certificates: 1,
    });
    expect(statSync(`${out}.password`).mode & 0o777).toBe(0o600);
    const passphrase = readFileSync(`${out}.password`, 'utf8').trim();
    expect(made.out + made.err).not.toContain(passphrase);
    expect(() => createSecureContext({ pfx: readFileSync(out), passphrase })).not.toThrow();
    expect(outrider(...args)).toMatchObject({ status: 1, err: expect.stringContaining('is there already') });
  });

  it('of a vehicle on this machine opens a mutual TLS connection', async () => {
    const { certificatePem, privateKeyPem } = await issueVehicle(fleet, device);
    mkdirSync(join(directory, 'vehicles', device, 'keys'), { recursive: true });
    const certificate = certificatePem + fleet.vehicleCa.certificatePem;
    file(`vehicles/${device}/identity.json`, JSON.stringify({ keyName: 'k-1', certificate, receivedAt: 0 }));
    file(`vehicles/${device}/keys/k-1.key`, privateKeyPem);
    const out = join(directory, 'vehicle.p12');
    expect(outrider('bundle', '--vehicle', device, '--out', out, '--password-file', 'password')).toMatchObject({
      status: 0,
    });
    const server = createServer(
      {
        key: fleet.root.privateKeyPem,
        cert: fleet.root.certificatePem,
        ca: fleet.root.certificatePem,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (request, response) =>
        response.end((request.socket as import('node:tls').TLSSocket).getPeerCertificate().subject.CN),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const { get } = await import('node:https');
    const body = await new Promise<string>((resolve, reject) => {
      const pfx = readFileSync(out);
      get({ port, host: '127.0.0.1', pfx, passphrase: 'pä§§ wörd', rejectUnauthorized: false }, (response) => {
        response.once('data', (part) => resolve(String(part)));
      }).once('error', reject);
    });
    server.close();
    expect(body).toBe(device);
  });

  it('is not made of what does not belong together', async () => {
    const [one, other] = [await vehicleFiles('P-256'), await vehicleFiles('P-384')];
    const mixed = ['--certificate', one[1] as string, '--key', other[3] as string, '--out', 'mixed.p12'];
    expect(outrider('bundle', ...mixed)).toMatchObject({ status: 1, err: expect.stringContaining('the key is not') });
    expect(outrider('bundle', '--out', 'none.p12').status).toBe(2);
    expect(outrider('bundle', '--vehicle', '../x', '--out', 'none.p12').status).toBe(2);
    expect(outrider('bundle', '--vehicle', 'nobody', '--out', 'none.p12').status).toBe(1);
    const swapped = ['--certificate', one[3] as string, '--key', one[1] as string, '--out', 'swapped.p12'];
    expect(outrider('bundle', ...swapped)).toMatchObject({ status: 1, err: expect.stringContaining('no certificate') });
  });
});
