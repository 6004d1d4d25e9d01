import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import { createTestFleet, freePort, issue, natsBinary, type TestFleet, until } from '@outrider/testing';
import { tlsBy } from './tls-by.provider.js';

let directory: string;
let fleet: TestFleet;
let caFile: string;
const servers: ChildProcess[] = [];

const put = (name: string, content: string): string => {
  const file = join(directory, name);
  writeFileSync(file, content, { mode: 0o600 });
  return file;
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'outrider-tls-'));
  fleet = await createTestFleet();
  caFile = put('ca.crt', fleet.root.certificatePem);
});
afterAll(async () => {
  for (const server of servers) {
    const gone = new Promise((resolve) => server.once('exit', resolve));
    if (server.kill('SIGKILL')) await gone;
  }
  if (directory) rmSync(directory, { recursive: true, force: true });
});

/** @returns its port on 127.0.0.1 */
async function serverFor(names: { readonly sanDns: string[]; readonly sanIps?: string[] }): Promise<number> {
  const own = { name: 'nats', sanUri: 'spiffe://fleet.example.com/service/nats', ...names };
  const { certificatePem, privateKeyPem } = await issue('service-server', fleet.infrastructureCa, own);
  const port = await freePort();
  const crt = put(`${port}.crt`, certificatePem + fleet.infrastructureCa.certificatePem);
  const tls = `tls { cert_file: "${crt}", key_file: "${put(`${port}.key`, privateKeyPem)}" }`;
  servers.push(
    spawn(natsBinary(), ['-c', put(`${port}.conf`, `listen: 127.0.0.1:${port}\n${tls}\n`)], { stdio: 'ignore' }),
  );
  await until(() => outcome(`nats://localhost:${port}`).then((said) => said === 'connected'), 20_000);
  return port;
}

async function outcome(url: string): Promise<string> {
  try {
    const connection = await connect({ servers: url, reconnect: false, timeout: 5000, tls: tlsBy(caFile, url) });
    await connection.close();
    return 'connected';
  } catch (error) {
    return String(error);
  }
}

describe('a server that is written by its address', () => {
  it('is refused where its certificate names another machine, though it names localhost as every one does', async () => {
    const port = await serverFor({ sanDns: ['localhost'], sanIps: ['10.1.2.3'] });
    expect(await outcome(`nats://127.0.0.1:${port}`)).toMatch(/IP: 127.0.0.1 is not in the cert's list/);
    expect(await outcome(`nats://localhost:${port}`)).toBe('connected');
  }, 60_000);

  it('is taken where its certificate names the address', async () => {
    const port = await serverFor({ sanDns: ['localhost'], sanIps: ['127.0.0.1'] });
    expect(await outcome(`nats://127.0.0.1:${port}`)).toBe('connected');
  }, 60_000);
});

describe('the check of a certificate', () => {
  const refuses = (url: string, name: string, subjectaltname: string) =>
    tlsBy(caFile, url).checkServerIdentity(name, { subject: {}, subjectaltname } as never) !== undefined;

  it.each<[string, string, string, string, boolean]>([
    ['one address of several', 'nats://[fd00::1],nats://10.0.0.2', 'localhost', 'IP Address:10.0.0.2', false],
    ['an IPv6 address', 'nats://[fd00::1]:4222', 'localhost', 'IP Address:FD00:0:0:0:0:0:0:1', false],
    ['localhost beside an address', 'nats://10.0.0.2,nats://localhost', 'localhost', 'DNS:localhost', true],
    ['a name', 'nats://nats-0.example,nats://10.0.0.2', 'nats-0.example', 'DNS:nats-0.example', false],
    ['the address in the place of a name', 'nats://nats-0.example', 'nats-0.example', 'IP Address:10.0.0.2', true],
  ])('knows %s', (_case, url, name, names, refused) => expect(refuses(url, name, names)).toBe(refused));
});
