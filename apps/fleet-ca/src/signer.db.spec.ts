import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { certificatesSign, crlSign } from '@outrider/contracts';
import type { Service } from '@outrider/ids';
import {
  createTestDatabase,
  createTestFleet,
  issueService,
  type Party,
  startDenylist,
  startNats,
  type TestDatabase,
  type TestDenylist,
  type TestFleet,
  type TestNats,
  testServiceConfig,
} from '@outrider/testing';
import { encodeCrlEntries, parseCertificate, toPem } from '@outrider/x509';
import { makeSoftToken, missingForTokens, type SoftToken } from './keys/soft-token.fixture.js';
import { askAs, newCsr, type Reply, signRequest } from './neighbours.fixture.js';

const CRL_BASE = 'http://127.0.0.1:9105/crl';
const missing = missingForTokens();
jest.setTimeout(120_000);

/** fleet-ca as a process of its own, on authorities that the ceremony made. */
describe.each(missing === undefined ? ['file', 'token'] : ['file'])(`fleet-ca with keys in a %s`, (kind) => {
  if (missing !== undefined) process.stderr.write(`not tried with a token: ${missing}\n`);
  let fleet: TestFleet;
  let database: TestDatabase;
  let nats: TestNats;
  let child: ChildProcess;
  let denylist: TestDenylist;
  let folder: string;
  let ready: () => Promise<{ status: string; checks: Record<string, { ok: boolean }> }>;
  const identities = new Map<Service, Party>();
  const trust = (name: string) => join(folder, 'ca', 'trust', name);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'outrider-signer-'));
    fleet = await createTestFleet();
    [database, nats] = await Promise.all([createTestDatabase('fleet-ca'), startNats()]);
    for (const service of ['provisioning', 'revocation'] as const) {
      identities.set(service, await issueService(fleet, service));
    }
    const token = kind === 'token' ? makeSoftToken(folder) : undefined;
    const env = token?.env ?? process.env;
    ceremony(token);
    // Services are certified by the test's own infrastructure CA.
    writeFileSync(trust('infrastructure-ca.1.crt'), fleet.infrastructureCa.certificatePem);
    const config = await configuration(token);
    const main = [join(import.meta.dirname, 'main.js'), '--config', config.file];
    execFileSync(process.execPath, [...main, '--migrate'], { env });
    child = spawn(process.execPath, main, { env, stdio: 'ignore' });
    ready = async () => (await fetch(`http://127.0.0.1:${config.port}/readyz`)).json() as ReturnType<typeof ready>;
    denylist = await startDenylist(nats);
    const until = Date.now() + 40_000;
    while ((await ready().catch(() => undefined))?.status !== 'ready' && Date.now() < until) await pause(200);
  });

  afterAll(async () => {
    const gone = new Promise((resolve) => child?.once('exit', resolve));
    child?.kill('SIGTERM');
    await gone;
    await denylist?.stop();
    await nats?.stop();
    await database?.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

  function ceremony(token: SoftToken | undefined): void {
    const pass = join(folder, 'pass');
    writeFileSync(pass, 'a passphrase of forty-one characters 2718', { mode: 0o600 });
    const given = ['--out', join(folder, 'ca'), '--trust-domain', 'fleet.example.com', '--passphrase-file', pass];
    const where = token
      ? ['--pkcs11-module', token.module, '--token-label', token.tokenLabel, '--pin-file', token.pinFile]
      : [];
    const command = join(import.meta.dirname, 'ceremony.command.js');
    execFileSync(process.execPath, [command, 'create', ...given, ...where], { env: token?.env ?? process.env });
  }

  async function configuration(token: SoftToken | undefined): Promise<{ file: string; port: number }> {
    const { config, directory } = await testServiceConfig('fleet-ca', { fleet, database, nats });
    const file = join(directory, 'fleet-ca.json');
    const pkcs11 = token && { module: token.module, tokenLabel: token.tokenLabel, pinFile: token.pinFile };
    const own = {
      listeners: { http: config.listeners.http },
      authorities: {
        manifestFile: join(folder, 'ca', 'authorities.json'),
        passphraseFile: join(folder, 'pass'),
        ...(pkcs11 ? { pkcs11 } : {}),
      },
      profiles: { offered: ['vehicle', 'vehicle-short'] },
      crl: { baseUrl: CRL_BASE, shardCount: 1 },
      ocspUrl: 'http://127.0.0.1:9105/ocsp',
      requestMaxAgeSeconds: 30,
    };
    writeFileSync(file, JSON.stringify({ ...config, ...own }));
    return { file, port: config.listeners.http.port };
  }

  function ask<R>(service: Service, subject: string, payload: object, beside: object = {}): Promise<Reply<R>> {
    const request = signRequest(identities.get(service) as Party, payload);
    return askAs<R>(nats, service, subject, { request, ...beside });
  }

  const sign = (deviceId: string) => {
    const item = { requestId: randomUUID(), profile: 'vehicle-short', authority: 'vehicle-ca', deviceId };
    const items = [{ ...item, csr: newCsr(deviceId) }];
    const asked = { aud: 'ca.certificate.sign.v2', items };
    return ask<{ items: { certificate?: string; code?: string }[] }>('provisioning', certificatesSign.subject, asked);
  };

  it('signs a certificate and a CRL that openssl accepts', async () => {
    expect((await ready()).checks).toMatchObject({
      'ca-manifest': { ok: true },
      ...(kind === 'token' && { 'ca-token': { ok: true } }),
    });
    const { ok } = await sign('device-12345');
    const leaf = parseCertificate(ok?.items[0]?.certificate ?? '');
    expect(leaf.notAfter.getTime() - Date.now()).toBeLessThanOrEqual(600_000);
    const file = join(folder, 'leaf.pem');
    writeFileSync(file, toPem(leaf.der, 'CERTIFICATE'));
    const chain = ['-CAfile', trust('fleet-root.crt'), '-untrusted', trust('vehicle-ca.crt')];
    const verify = ['verify', '-x509_strict', '-purpose', 'sslclient', ...chain, file];
    expect(execFileSync('openssl', verify).toString()).toContain('OK');
    const seconds = Math.floor(Date.now() / 1000) * 1000;
    const issuer = parseCertificate(readFileSync(trust('vehicle-ca.1.crt'), 'utf8'));
    const { der: entries } = encodeCrlEntries([
      { serialNumber: leaf.serialNumber, revokedAt: new Date(seconds), reason: 'superseded' },
    ]);
    const request = {
      aud: 'ca.crl.sign.v2',
      issuerKeyId: issuer.subjectKeyId,
      distributionPoint: leaf.crlDistributionPoints[0],
      number: 1,
      thisUpdate: new Date(seconds).toISOString(),
      nextUpdate: new Date(seconds + 3_600_000).toISOString(),
      hasDeltas: false,
      draft: randomUUID(),
      entries: { count: 1, bytes: entries.length, sha256: createHash('sha256').update(entries).digest('hex') },
    };
    const inline = { entries: Buffer.from(entries).toString('base64') };
    const list = await ask<{ head: string; tail: string }>('revocation', crlSign.subject, request, inline);
    const { head = '', tail = '' } = list.ok ?? {};
    const crl = join(folder, 'list.der');
    writeFileSync(crl, Buffer.concat([Buffer.from(head, 'base64'), entries, Buffer.from(tail, 'base64')]));
    const check = ['crl', '-inform', 'DER', '-in', crl, '-CAfile', trust('vehicle-ca.crt'), '-noout', '-text'];
    // openssl says "verify OK" on its standard error.
    const text = execFileSync('sh', ['-c', `openssl ${check.join(' ')} 2>&1`]).toString();
    expect(text).toContain('verify OK');
    expect(text.toLowerCase()).toContain(leaf.serialNumber);
  });

  it('hands out no certificate that it could not log', async () => {
    const client = await database.admin();
    try {
      await client.query('REVOKE INSERT ON fleet_ca.issued_certificates FROM fleet_ca');
      const refused = await sign('device-unlogged');
      expect(refused.ok?.items?.[0]?.certificate).toBeUndefined();
      expect(refused.error?.code ?? refused.ok?.items[0]?.code).toEqual(expect.any(String));
      await client.query('GRANT INSERT ON fleet_ca.issued_certificates TO fleet_ca');
      const { rows } = await client.query(
        `SELECT 1 FROM fleet_ca.issued_certificates WHERE device_id = 'device-unlogged'`,
      );
      expect(rows).toEqual([]);
      expect((await sign('device-unlogged')).ok?.items[0]).toHaveProperty('certificate');
    } finally {
      await client.end();
    }
  });
});
