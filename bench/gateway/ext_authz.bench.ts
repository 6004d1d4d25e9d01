/**
 * What a decision of external authorization costs gateway, everything included, the token cached: 32 vehicles' requests asked about over
 * the few connections that an edge keeps, by nginx's dialect and by Envoy's gRPC, against a bare `node:https` that answers 200
 * (floor). CPU time from /proc, the contenders in turn.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { startBareServer } from '../enrol/bare-server.client.js';
import { cpuSeconds, loadAverage } from '../enrol/cpu.client.js';
import { startOwnSuite } from '../suite/own-suite.client.js';
import { type EnrolledVehicle, Suite } from '../suite/suite.client.js';
import { CheckClient } from './check.client.js';

const VEHICLES = 32;
const CONNECTIONS = 8;
const ROUNDS = Number(process.env.OUTRIDER_BENCH_ROUNDS ?? 4);
const PER_ROUND = 4_000;
const SETTLE_MS = 1_500;
const WANTED_MICROS = 120;
const HOST = 'api.fleet.example.com';

interface Asked {
  readonly vehicle: EnrolledVehicle;
  readonly path: string;
  token: string;
}
interface Contender {
  readonly name: string;
  readonly pid: number;
  /** One question on one of its connections; throws unless it is allowed. */
  readonly ask: (connection: number, asked: Asked) => Promise<void>;
  readonly micros: number[];
  /** CPU of a second in which nobody asks. */
  restingCpu: number;
}

const own = startOwnSuite(['fleet-ca', 'provisioning', 'token', 'revocation', 'gateway']);
try {
  await measure(Suite.find());
} finally {
  own.stop();
}

async function measure(suite: Suite): Promise<void> {
  const run = randomBytes(3).toString('hex');
  const asked: Asked[] = [];
  for (let n = 0; n < VEHICLES; n++) {
    const vehicle = await suite.enrolled(`bench-${run}-${n}`, 'P-256');
    asked.push({ vehicle, token: '', path: `/v1/vehicles/${vehicle.deviceId}/trips` });
  }
  const { edge } = JSON.parse(readFileSync(own.endpoints, 'utf8')) as {
    edge: Record<'authorization' | 'certificate' | 'key', string>;
  };
  const trust = (name: string) => readFileSync(join(own.home, 'fleet/trust', `${name}.crt`), 'utf8');
  const tls = { ca: suite.serverCa, cert: readFileSync(edge.certificate, 'utf8'), key: readFileSync(edge.key, 'utf8') };
  const bare = await startBareServer(
    trust('infrastructure-ca') + trust('fleet-root'),
    join(import.meta.dirname, 'bare-decider.command.js'),
  );
  const clients = (origin: string, ca: string) =>
    Array.from({ length: CONNECTIONS }, () => new Client(origin, { connect: { ...tls, ca } }));
  const [floor, ours] = [clients(bare.origin, bare.ca), clients(edge.authorization, tls.ca)];
  const envoy = Array.from({ length: 2 }, () => new CheckClient(edge.authorization, tls));
  const contenders: [Contender, Contender, Contender] = [
    contender('bare node:https', bare.pid, (n, one) => askByNginx(floor[n] as Client, one)),
    contender('gateway, nginx', suite.pid('gateway'), (n, one) => askByNginx(ours[n] as Client, one)),
    contender('gateway, Envoy gRPC', suite.pid('gateway'), (n, one) => askByEnvoy(envoy[n % 2] as CheckClient, one)),
  ];
  try {
    for (const one of contenders) await withFreshTokens(suite, one, asked, () => askAll(one, asked, PER_ROUND));
    await measureRest(contenders);
    for (let round = 0; round < ROUNDS; round++)
      for (const one of contenders) await withFreshTokens(suite, one, asked, () => measureOnce(one, asked));
    report(contenders);
  } finally {
    bare.stop();
    for (const client of envoy) client.close();
    await Promise.all([...floor, ...ours].map((client) => client.destroy()));
  }
}

function contender(name: string, pid: number, ask: Contender['ask']): Contender {
  return { name, pid, ask, micros: [], restingCpu: 0 };
}

/** Each token asked about once before it counts: its signature is verified then. */
async function withFreshTokens(suite: Suite, one: Contender, asked: readonly Asked[], work: () => Promise<void>) {
  for (const each of asked) each.token = await suite.token(each.vehicle, 'trips:read');
  await askAll(one, asked, VEHICLES);
  await work();
}

async function askByNginx(client: Client, { vehicle, path, token }: Asked): Promise<void> {
  const headers = {
    'x-original-method': 'GET',
    'x-original-uri': path,
    'x-original-host': HOST,
    'x-original-remote-addr': '127.0.0.1',
    authorization: `Bearer ${token}`,
    'x-forwarded-client-cert': `Cert="${encodeURIComponent(vehicle.tls.cert)}"`,
  };
  const answer = await client.request({ path: '/authorize/nginx', method: 'GET', headers });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${String(answer.headers['x-outrider-code'])}`);
}

function askByEnvoy(client: CheckClient, { vehicle, path, token }: Asked): Promise<void> {
  return client.allowed({
    source: { address: { socketAddress: { address: '127.0.0.1' } }, certificate: encodeURIComponent(vehicle.tls.cert) },
    request: { http: { method: 'GET', path, host: HOST, headers: { authorization: `Bearer ${token}` } } },
  });
}

async function askAll(one: Contender, asked: readonly Asked[], times: number): Promise<void> {
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, connection) => {
      for (let n = connection; n < times; n += CONNECTIONS) await one.ask(connection, asked[n % asked.length] as Asked);
    }),
  );
}

async function measureRest(contenders: readonly Contender[]): Promise<void> {
  await sleep(SETTLE_MS);
  const before = contenders.map(({ pid }) => cpuSeconds(pid));
  await sleep(2 * SETTLE_MS);
  contenders.forEach((one, n) => {
    one.restingCpu = (cpuSeconds(one.pid) - (before[n] ?? 0)) / ((2 * SETTLE_MS) / 1000);
  });
}

/** What it does at rest is not a decision's: heartbeats, leases, statistics. */
async function measureOnce(one: Contender, asked: readonly Asked[]): Promise<void> {
  const [before, startedAt] = [cpuSeconds(one.pid), performance.now()];
  await askAll(one, asked, PER_ROUND);
  await sleep(SETTLE_MS);
  const seconds = (performance.now() - startedAt) / 1000;
  one.micros.push(((cpuSeconds(one.pid) - before - seconds * one.restingCpu) / PER_ROUND) * 1e6);
}

function report(contenders: readonly [Contender, Contender, Contender]): void {
  const median = ({ micros }: Contender) => [...micros].sort((a, b) => a - b)[Math.floor(micros.length / 2)] ?? 0;
  const [floor, nginx, envoy] = contenders;
  // Round by round, since what else the machine does weighs on both.
  const over = (one: Contender) => median({ ...one, micros: one.micros.map((us, n) => us - (floor.micros[n] ?? 0)) });
  const figures = {
    decisionMicros: Math.round(over(nginx)),
    wantedMicros: WANTED_MICROS,
    bareMicros: Math.round(median(floor)),
    nginxMicros: Math.round(median(nginx)),
    envoyGrpcMicros: Math.round(median(envoy)),
  };
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify(figures));
    return;
  }
  console.log(
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.version}, load average ${loadAverage()}`,
  );
  for (const one of contenders)
    console.log(
      `${one.name}: ${Math.round(median(one))} us CPU a question (by round: ${one.micros.map(Math.round).join(' ')}),`,
      `${Math.round(one.restingCpu * 1000)} ms CPU a second at rest taken off`,
    );
  console.log(
    `a decision, over what the bare server spends on TLS and HTTP: ${figures.decisionMicros} us CPU (${WANTED_MICROS} at most)`,
  );
}
