/**
 * What an OCSP answer from memory costs the revocation service, against a bare `node:http` server that gives the same bytes, by POST and
 * by GET on kept connections; and on connections of their own, where `openssl ocsp` is measured too. All in turn, CPU time from /proc.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createOcspRequest, encodeOcspCertId, parseCertificate, parseCertificates } from '@outrider/x509';
import { cpuSeconds, loadAverage } from '../enrol/cpu.client.js';
import { inParallel } from '../enrol/load.client.js';
import { startOwnSuite } from '../suite/own-suite.client.js';
import { Suite } from '../suite/suite.client.js';
import { startOpensslResponder } from './openssl-responder.client.js';

const CERTIFICATES = 64;
const ROUNDS = Number(process.env.OUTRIDER_BENCH_ROUNDS ?? 5);
const KEPT = 6_000;
const AFRESH = 1_000;
const WIDTH = 16;
const REST_MS = 2_000;

type Method = 'POST' | 'GET';

interface Contender {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  readonly method: Method;
  readonly requests: readonly Buffer[];
  readonly count: number;
  readonly agent: http.Agent | false;
  cpuSeconds: number;
  seconds: number;
}

const own = startOwnSuite(['fleet-ca', 'provisioning', 'token', 'revocation', 'gateway']);
try {
  await measure(Suite.find());
} finally {
  own.stop();
}

async function measure(suite: Suite): Promise<void> {
  const run = randomBytes(3).toString('hex');
  const issuers = parseCertificates(readFileSync(join(own.home, 'fleet/trust/vehicle-cas.crt'), 'utf8'));
  const requests: Buffer[] = [];
  for (let n = 0; n < CERTIFICATES; n++) {
    const certificate = parseCertificate((await suite.enrolled(`ocsp-${run}-${n}`, 'P-256')).tls.cert);
    const issuer = issuers.find(({ subjectKeyId }) => subjectKeyId === certificate.authorityKeyId);
    if (!issuer) throw new Error('the issuer is not among those that are trusted');
    requests.push(Buffer.from(createOcspRequest([encodeOcspCertId(issuer, certificate.serialNumber)])));
  }
  const revocation = { url: suite.httpUrl('revocation', '/ocsp'), pid: suite.pid('revocation') };
  const sample = await signed(revocation.url, requests);
  const bare = await startBare(sample);
  const openssl = await startOpensslResponder(CERTIFICATES);
  const kept = () => new http.Agent({ keepAlive: true, maxSockets: WIDTH });
  const to = (name: string, { url, pid }: { url: string; pid: number }, method: Method, agent: http.Agent | false) => ({
    ...{ name, url, pid, method, requests, agent, count: agent ? KEPT : AFRESH },
    ...{ cpuSeconds: 0, seconds: 0 },
  });
  const contenders: Contender[] = (['POST', 'GET'] as const).flatMap((method) => [
    to(`bare node:http, ${method} kept`, bare, method, kept()),
    to(`revocation, ${method} kept`, revocation, method, kept()),
  ]);
  contenders.push(to('bare node:http, POST afresh', bare, 'POST', false));
  contenders.push(to('revocation, POST afresh', revocation, 'POST', false));
  if (openssl)
    contenders.push({ ...to('openssl ocsp, POST afresh', openssl, 'POST', false), requests: openssl.requests });
  try {
    for (const one of contenders) await ask(one, one.count / 2);
    const resting = await rest(revocation.pid);
    for (let round = 0; round < ROUNDS; round++) {
      for (const one of contenders) {
        const before = cpuSeconds(one.pid);
        one.seconds += await ask(one, one.count);
        one.cpuSeconds += cpuSeconds(one.pid) - before;
      }
    }
    report(contenders, resting);
  } finally {
    bare.stop();
    openssl?.stop();
    for (const { agent } of contenders) if (agent) agent.destroy();
  }
}

/** Asks until every certificate is known and its answer in memory: events take their time. @returns one answer with its headers. */
async function signed(url: string, requests: readonly Buffer[]) {
  for (let time = 0; time < 200; time++) {
    const answers = await Promise.all(requests.map((request) => once200(url, 'POST', request, false)));
    const last = answers.at(-1);
    if (last && answers.every(({ headers }) => headers.etag !== undefined)) return last;
    await sleep(100);
  }
  throw new Error('the certificates do not become known');
}

async function startBare({ body, headers }: { body: Buffer; headers: http.IncomingHttpHeaders }) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare-http.command.js')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { date: _, connection: __, 'keep-alive': ___, ...same } = headers;
  child.stdin.end(JSON.stringify({ body: body.toString('base64'), headers: same }));
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return { pid: child.pid as number, url: `http://127.0.0.1:${port.toString().trim()}/ocsp`, stop: () => child.kill() };
}

function ask({ url, method, requests, agent }: Contender, count: number): Promise<number> {
  const all = Array.from({ length: count }, (_, n) => requests[n % requests.length] as Buffer);
  return inParallel(all, WIDTH, async (request) => {
    const { body } = await once200(url, method, request, agent);
    // One of status successful is a SEQUENCE of some hundred bytes; a failure has five.
    if (body[0] !== 0x30 || body.length < 200) throw new Error(`${url}: ${body.toString('hex').slice(0, 100)}`);
  });
}

function once200(
  url: string,
  method: Method,
  der: Buffer,
  agent: http.Agent | false,
): Promise<{ body: Buffer; headers: http.IncomingHttpHeaders }> {
  const target = method === 'POST' ? url : `${url}/${encodeURIComponent(der.toString('base64'))}`;
  const headers = method === 'POST' ? { 'content-type': 'application/ocsp-request', 'content-length': der.length } : {};
  return new Promise((resolve, reject) => {
    const request = http.request(target, { method, headers, agent }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('end', () => {
        const body = Buffer.concat(parts);
        if (response.statusCode === 200) resolve({ body, headers: response.headers });
        else reject(new Error(`${target}: ${response.statusCode}`));
      });
    });
    request.once('error', reject);
    request.end(method === 'POST' ? der : undefined);
  });
}

/** CPU seconds a second of a process that nobody asks anything. */
async function rest(pid: number): Promise<number> {
  await sleep(500);
  const before = cpuSeconds(pid);
  await sleep(REST_MS);
  return (cpuSeconds(pid) - before) / (REST_MS / 1000);
}

function report(contenders: readonly Contender[], resting: number): void {
  const model = cpus()[0]?.model ?? 'unknown CPU';
  console.log(`${model}, ${availableParallelism()} cores, Node ${process.version}, load average ${loadAverage()}`);
  const micros = ({ cpuSeconds: spent, count }: Contender) => (spent / (ROUNDS * count)) * 1e6;
  for (const one of contenders) {
    const perSecond = Math.round((ROUNDS * one.count) / one.seconds);
    console.log(`${one.name}: ${micros(one).toFixed(1)} us CPU an answer, ${perSecond}/s on the wall`);
  }
  console.log(`revocation at rest: ${Math.round(resting * 1000)} ms CPU a second, counted above`);
  const of = (name: string) => contenders.find((one) => one.name === name);
  for (const mode of ['POST kept', 'GET kept', 'POST afresh']) {
    const [floor, ours] = [of(`bare node:http, ${mode}`), of(`revocation, ${mode}`)];
    if (floor && ours) {
      console.log(
        `${mode}: ${Math.round((micros(floor) / micros(ours)) * 100)} % of the bare server's rate by CPU (60 % wanted)`,
      );
    }
  }
  const [peer, ours] = [of('openssl ocsp, POST afresh'), of('revocation, POST afresh')];
  if (peer && ours)
    console.log(`POST afresh: ${(micros(peer) / micros(ours)).toFixed(1)} times the rate of openssl ocsp by CPU`);
  else console.log('no openssl here: no peer');
}
