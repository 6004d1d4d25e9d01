import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { stapleGet } from '@outrider/contracts';
import { createTestFleet, issueService } from '@outrider/testing';
import { type ParsedCertificate, parseCertificate, toPem } from '@outrider/x509';
import { type Suite, startSuite, until, vehicle } from '../suite.fixture.js';

let suite: Suite;
let folder: string;

beforeAll(async () => {
  suite = await startSuite();
  folder = mkdtempSync(join(tmpdir(), 'outrider-staple-'));
  writeFileSync(join(folder, 'ca.crt'), suite.fleet.infrastructureCa.certificatePem);
  writeFileSync(join(folder, 'root.crt'), suite.fleet.root.certificatePem);
}, 60_000);
afterAll(async () => {
  await suite?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A handshake with the operator listener: what was stapled to which certificate. */
function handshake(maxVersion: 'TLSv1.2' | 'TLSv1.3') {
  const { port } = suite.config.listeners.operator as { port: number };
  return new Promise<{ staple: Buffer | null; certificate: ParsedCertificate }>((resolve, reject) => {
    let staple: Buffer | null = null;
    const options = { host: '127.0.0.1', port, requestOCSP: true, maxVersion, ca: suite.fleet.root.certificatePem };
    const socket = tls.connect(options, () => {
      resolve({ staple, certificate: parseCertificate(new Uint8Array(socket.getPeerCertificate().raw)) });
      socket.destroy();
    });
    socket.once('OCSPResponse', (der: Buffer | null) => {
      staple = der?.length ? der : null;
    });
    socket.once('error', reject);
  });
}

/** What openssl makes of an answer about a service's certificate, or of the responder's where none is given. */
async function openssl(certificate: ParsedCertificate, answer?: Buffer): Promise<string> {
  writeFileSync(join(folder, 'leaf.crt'), toPem(certificate.der, 'CERTIFICATE'));
  if (answer) writeFileSync(join(folder, 'answer.der'), answer);
  const from = answer ? ['-respin', 'answer.der'] : ['-url', `${suite.httpUrl}/ocsp`];
  const asked = ['-issuer', 'ca.crt', '-cert', 'leaf.crt', '-no_nonce', ...from];
  const trust = ['-CAfile', 'root.crt', '-verify_other', 'ca.crt'];
  const { stdout, stderr } = await promisify(execFile)('openssl', ['ocsp', ...asked, ...trust], { cwd: folder });
  return stderr + stdout;
}

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  '%s: whoever asks for a staple gets one that openssl believes',
  async (version) => {
    await until(async () => (await handshake(version)).staple !== null);
    const { staple, certificate } = await handshake(version);
    const text = await openssl(certificate, staple as Buffer);
    expect(text).toMatch(/Response verify OK[\s\S]*leaf\.crt: good/);
  },
);

it('knows a certificate of a service from then on, and says when it is revoked', async () => {
  const { certificate } = await handshake('TLSv1.3');
  await until(async () => (await openssl(certificate)).includes(': good'));
  expect((await suite.post('/revoke', { serial: certificate.serialNumber, reason: 'superseded' })).status).toBe(200);
  await until(async () => /: revoked[\s\S]*Reason: superseded/.test(await openssl(certificate)));
});

it('answers only for what an infrastructure CA of ours has signed, whoever asks', async () => {
  const connection = await suite.nats.connectAs('telemetry');
  const ask = async ({ der }: ParsedCertificate) => {
    const certificate = Buffer.from(der).toString('base64');
    const reply = await connection.request(stapleGet.subject, JSON.stringify({ certificate }), { timeout: 10_000 });
    return reply.json<{ ok?: { staple: string }; error?: { code: string } }>();
  };
  try {
    const own = await issueService(suite.fleet, 'telemetry');
    const { ok } = await ask(own.certificate);
    expect(await openssl(own.certificate, Buffer.from(ok?.staple ?? '', 'base64'))).toContain('leaf.crt: good');
    const foreign = await issueService(await createTestFleet(), 'telemetry');
    const car = await vehicle(suite.fleet, 'device-staple');
    for (const { certificate } of [foreign, car]) {
      expect((await ask(certificate)).error?.code).toMatch(/^x509\./);
    }
  } finally {
    await connection.close();
  }
});
