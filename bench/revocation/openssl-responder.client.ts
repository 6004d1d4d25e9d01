/** `openssl ocsp` as a responder of its own small CA, in a process of its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SerialNumber } from '@outrider/ids';
import { createOcspRequest, encodeOcspCertId, parseCertificate } from '@outrider/x509';

export interface OpensslResponder {
  readonly pid: number;
  readonly url: string;
  /** About the certificates in its index, one each. */
  readonly requests: readonly Buffer[];
  stop(): void;
}

/** Undefined where there is no openssl. */
export async function startOpensslResponder(certificates: number): Promise<OpensslResponder | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-bench-ocsp-'));
  try {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca.key'];
    const args = ['req', '-x509', ...key, '-subj', '/CN=Bench CA', '-days', '2', '-out', 'ca.crt'];
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  const serials = Array.from({ length: certificates }, (_, n) => `7f${n.toString(16).padStart(30, '0')}`);
  const lines = serials.map((serial) => `V\t491231235959Z\t\t${serial.toUpperCase()}\tunknown\t/CN=${serial}\n`);
  writeFileSync(join(folder, 'index.txt'), lines.join(''));
  const port = await freePort();
  const own = ['-CA', 'ca.crt', '-rsigner', 'ca.crt', '-rkey', 'ca.key', '-index', 'index.txt', '-nmin', '10'];
  const child = spawn('openssl', ['ocsp', '-port', String(port), ...own], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await listening(child);
  const issuer = parseCertificate(readFileSync(join(folder, 'ca.crt'), 'utf8'));
  const ids = serials.map((serial) => encodeOcspCertId(issuer, SerialNumber.parse(serial)));
  return {
    pid: child.pid as number,
    url: `http://127.0.0.1:${port}/`,
    requests: ids.map((id) => Buffer.from(createOcspRequest([id]))),
    stop: () => {
      child.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** It says when it listens. A connection opened to find out would be taken for a client, and waited for. */
async function listening(child: ChildProcess): Promise<void> {
  let said = '';
  const waits = new Promise<void>((resolve) => {
    child.stderr?.on('data', (part: Buffer) => {
      said = `${said}${part}`.slice(-1000);
      if (said.includes('waiting for OCSP client connections')) resolve();
    });
  });
  const ends = once(child, 'exit').then(() => Promise.reject(new Error(`openssl ocsp ended: ${said}`)));
  ends.catch(() => undefined);
  await Promise.race([waits, ends]);
}
