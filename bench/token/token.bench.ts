/**
 * What a telemetry token costs the token service, everything included, against oidc-provider (baseline) and a bare `node:https` with one
 * signature (ceiling): the same 32 vehicles on kept TLS 1.3 connections, the three measured in turn. CPU time from /proc.
 */
import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { startBareServer } from '../enrol/bare-server.client.js';
import { cpuSeconds, loadAverage } from '../enrol/cpu.client.js';
import { startOwnSuite } from '../suite/own-suite.client.js';
import { type EnrolledVehicle, Suite } from '../suite/suite.client.js';
import { cachedAdmissionMicros } from './admission.client.js';

const VEHICLES = 32;
const ROUNDS = Number(process.env.OUTRIDER_BENCH_ROUNDS ?? 4);
const PER_VEHICLE = 120;
/** Decisions are told in batches: what still runs after the last answer is the tokens' own. */
const SETTLE_MS = 1500;

interface Contender {
  readonly name: string;
  readonly pid: number;
  readonly path: string;
  readonly connections: readonly Client[];
  /** One for each round. */
  readonly cpuSeconds: number[];
  /** CPU of a second in which nobody asks: a part of what every round counts. */
  restingCpu: number;
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
  const vehicles: EnrolledVehicle[] = [];
  for (let n = 0; n < VEHICLES; n++) vehicles.push(await suite.enrolled(`bench-${run}-${n}`, 'P-256'));
  // OpenSSL wants a whole chain, up to the root: Node's TLS servers ignore allowPartialTrustChain.
  const trust = (name: string) => readFileSync(join(own.home, 'fleet/trust', `${name}.crt`), 'utf8');
  const ca = trust('vehicle-cas') + trust('fleet-root');
  const clients = vehicles.map(({ deviceId, tls }) => ({ id: deviceId, uri: sanUri(tls.cert) }));
  const baseline = await startBareServer(ca, join(import.meta.dirname, 'oidc-provider.command.js'), { clients });
  const ceiling = await startBareServer(ca, join(import.meta.dirname, 'signing-server.command.js'));
  const contender = (name: string, pid: number, path: string, connect: (vehicle: EnrolledVehicle) => Client) => ({
    ...{ name, pid, path, connections: vehicles.map(connect) },
    ...{ cpuSeconds: [], restingCpu: 0, seconds: 0 },
  });
  const to = (origin: string, anchor: string) => (vehicle: EnrolledVehicle) =>
    new Client(origin, { connect: { ...vehicle.tls, ca: anchor } });
  const contenders: [Contender, Contender, Contender] = [
    contender('oidc-provider', baseline.pid, '/token', to(baseline.origin, baseline.ca)),
    contender('bare node:https', ceiling.pid, '/', to(ceiling.origin, ceiling.ca)),
    contender('token service', suite.pid('token'), '/oauth2/token', (vehicle) => suite.connect('token', vehicle)),
  ];
  try {
    for (const one of contenders) await ask(one, vehicles, PER_VEHICLE);
    await measureRest(contenders);
    for (let round = 0; round < ROUNDS; round++) {
      for (const one of contenders) await measureOnce(one, vehicles);
    }
    report(contenders, await cachedAdmissionMicros());
  } finally {
    baseline.stop();
    ceiling.stop();
    for (const { connections } of contenders) await Promise.all(connections.map((one) => one.destroy()));
  }
}

async function measureRest(contenders: readonly Contender[]): Promise<void> {
  await sleep(SETTLE_MS);
  const before = contenders.map(({ pid }) => cpuSeconds(pid));
  await sleep(2 * SETTLE_MS);
  contenders.forEach((one, n) => {
    one.restingCpu = (cpuSeconds(one.pid) - (before[n] ?? 0)) / ((2 * SETTLE_MS) / 1000);
  });
}

async function measureOnce(one: Contender, vehicles: readonly EnrolledVehicle[]): Promise<void> {
  await sleep(SETTLE_MS);
  const before = cpuSeconds(one.pid);
  const startedAt = performance.now();
  await ask(one, vehicles, PER_VEHICLE);
  one.seconds += (performance.now() - startedAt) / 1000;
  await sleep(SETTLE_MS);
  one.cpuSeconds.push(cpuSeconds(one.pid) - before);
}

/** Every vehicle asks `times` times, one request after the other, over its one connection. */
async function ask({ name, path, connections }: Contender, vehicles: readonly EnrolledVehicle[], times: number) {
  await Promise.all(
    connections.map(async (connection, n) => {
      const form = {
        grant_type: 'client_credentials',
        client_id: vehicles[n]?.deviceId ?? '',
        scope: 'telemetry:write',
      };
      const body = new URLSearchParams(form).toString();
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      for (let time = 0; time < times; time++) {
        const answer = await connection.request({ path, method: 'POST', headers, body });
        const text = await answer.body.text();
        if (answer.statusCode !== 200) throw new Error(`${name}: ${answer.statusCode} ${text.slice(0, 300)}`);
        if (!/"access_token":"[\w-]+\.[\w-]+\.[\w-]+"/.test(text)) throw new Error(`${name} gave no JWT: ${text}`);
      }
    }),
  );
}

function sanUri(certificate: string): string {
  return /URI:([^,\s]+)/.exec(new X509Certificate(certificate).subjectAltName ?? '')?.[1] ?? '';
}

function report(contenders: readonly [Contender, Contender, Contender], admissionMicros: number): void {
  const perRound = VEHICLES * PER_VEHICLE;
  const tokens = ROUNDS * perRound;
  const micros = ({ cpuSeconds: spent }: Contender) => (spent.reduce((sum, one) => sum + one, 0) / tokens) * 1e6;
  const [baseline, ceiling, ours] = contenders;
  console.log(
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.version}, load average ${loadAverage()}`,
  );
  for (const one of contenders) {
    const perCpuSecond = Math.round(1e6 / micros(one));
    const rounds = one.cpuSeconds.map((spent) => Math.round((spent / perRound) * 1e6)).join(' ');
    const perSecond = Math.round(tokens / one.seconds);
    console.log(
      `${one.name}: ${Math.round(micros(one))} us CPU a token (by round: ${rounds}), ${perCpuSecond} per CPU-second,`,
      `${perSecond}/s on the wall, ${Math.round(one.restingCpu * 1000)} ms CPU a second at rest`,
    );
  }
  console.log(
    `of the baseline's rate by CPU: ${(micros(baseline) / micros(ours)).toFixed(2)} times (1.4 wanted)`,
    `\nof the ceiling's CPU: ${(micros(ours) / micros(ceiling)).toFixed(2)} times (1.5 at most)`,
    `\nadmission of a cached token: ${admissionMicros.toFixed(1)} us CPU (15 at most)`,
  );
}
