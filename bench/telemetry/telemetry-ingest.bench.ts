/**
 * Accepted records a second of one telemetry process on a suite of its own, and CPU a record by process, beside what one verification
 * costs OpenSSL in the same minute. `--json`: one JSON document alone. `OUTRIDER_ENDPOINTS` or `OUTRIDER_BENCH_HERE=1`: on the suite that runs.
 * `OUTRIDER_BENCH_ROUND`: the rounds whose name begins so, or `flatness`, alone.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism, cpus } from 'node:os';
import { resolve } from 'node:path';
import { loadAverage } from '../enrol/cpu.client.js';
import { startOwnSuite } from '../suite/own-suite.client.js';
import { type EnrolledVehicle, Suite } from '../suite/suite.client.js';
import { knowDevices } from './known-devices.client.js';
import { opensslVerification, type VerificationMicros } from './openssl.client.js';
import { type Load, type Measured, measure } from './round.client.js';

const VEHICLES = 64;
/** Issue 5: either the rate, or the CPU in verifications of P-256. */
const ROUNDS = [
  {
    name: 'single POST',
    keyType: 'Ed25519',
    shape: 'single',
    perBody: 1,
    bodies: 100,
    wanted: { rate: 3500, ratio: 5.5 },
  },
  {
    name: '50 signed a POST',
    keyType: 'Ed25519',
    shape: 'array',
    perBody: 50,
    bodies: 16,
    wanted: { rate: 9000, ratio: 2.2 },
  },
  {
    name: 'signed batch of 50',
    keyType: 'Ed25519',
    shape: 'signed-batch',
    perBody: 50,
    bodies: 40,
    wanted: { rate: 25_000, ratio: 0.8 },
  },
  { name: 'single POST, P-256', keyType: 'P-256', shape: 'single', perBody: 1, bodies: 100 },
] as const satisfies readonly (Load & {
  name: string;
  keyType: 'Ed25519' | 'P-256';
  wanted?: { rate: number; ratio: number };
})[];
const KNOWN = [100, 100_000] as const;
const FLATNESS = 0.15;

interface Row extends Measured {
  readonly name: string;
  readonly openssl: VerificationMicros | undefined;
  /** `totalMicros` in P-256 verifications of OpenSSL. */
  readonly ratio: number | undefined;
  readonly wanted: { readonly rate: number; readonly ratio: number } | undefined;
  readonly reached: boolean | undefined;
}

const json = process.argv.includes('--json');
const say = (line: string) => {
  if (!json) console.log(line);
};

const here = process.env.OUTRIDER_BENCH_HERE === '1';
const own = here
  ? undefined
  : startOwnSuite(['fleet-ca', 'provisioning', 'token', 'telemetry', 'revocation', 'gateway']);
try {
  const home = process.env.OUTRIDER_HOME ?? resolve(import.meta.dirname, '../../../.outrider');
  await run(Suite.find(), own?.endpoints ?? process.env.OUTRIDER_ENDPOINTS ?? resolve(home, 'endpoints.json'));
} finally {
  own?.stop();
}

async function run(suite: Suite, endpointsFile: string): Promise<void> {
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.version}`;
  say(`${machine}, load average ${loadAverage()}`);
  await knowDevices(endpointsFile, KNOWN[0]);
  const chosen = process.env.OUTRIDER_BENCH_ROUND;
  const rows: Row[] = [];
  for (const round of ROUNDS) if (!chosen || round.name.startsWith(chosen)) rows.push(await row(suite, round));
  const flat = !chosen || chosen === 'flatness' ? await flatness(suite, endpointsFile) : [];
  if (json) console.log(JSON.stringify({ machine, rounds: rows, flatness: flat }));
}

async function row(suite: Suite, round: (typeof ROUNDS)[number]): Promise<Row> {
  const { name, keyType } = round;
  const vehicles = await enrol(suite, keyType);
  const before = opensslVerification();
  const measured = await measure(suite, vehicles, round);
  const openssl = better(before, opensslVerification());
  const ratio = openssl && measured.totalMicros / openssl.p256;
  const wanted = 'wanted' in round ? round.wanted : undefined;
  const reached =
    wanted && (measured.recordsPerSecond >= wanted.rate || (ratio !== undefined && ratio <= wanted.ratio));
  const done = { name, ...measured, openssl, ratio, wanted, reached };
  say(line(done));
  return done;
}

/** The cheaper of two measurements: the other was disturbed, and it would flatter us. */
function better(a: VerificationMicros | undefined, b: VerificationMicros | undefined): VerificationMicros | undefined {
  return a && b ? { p256: Math.min(a.p256, b.p256), ed25519: Math.min(a.ed25519, b.ed25519) } : (a ?? b);
}

function line({
  name,
  recordsPerSecond,
  p50Ms,
  p99Ms,
  cpuMicros,
  totalMicros,
  restMillis,
  openssl,
  ratio,
  wanted,
  reached,
}: Row): string {
  const us = (value: number) => value.toFixed(value < 100 ? 1 : 0);
  const { service, postgres, nats, generator } = cpuMicros;
  const measure = openssl
    ? `${ratio!.toFixed(2)} times one P-256 verification of ${us(openssl.p256)} us (Ed25519: ${us(openssl.ed25519)} us)`
    : 'no openssl here to compare with';
  const aim = wanted
    ? `; wanted ${wanted.rate}/s or ${wanted.ratio} times: ${reached ? 'reached' : 'NOT reached'}`
    : '';
  return [
    `${name}: ${Math.round(recordsPerSecond)} accepted/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
    `  ${us(totalMicros)} us CPU a record: service ${us(service)}, PostgreSQL ${us(postgres)}, NATS ${us(nats)} (generator beside it ${us(generator)}; at rest ${restMillis.toFixed(0)} ms a second, taken off)`,
    `  ${measure}${aim}`,
  ].join('\n');
}

/** CPU a record with few and with many devices known to the database, measured in turn on the same vehicles. */
async function flatness(suite: Suite, endpointsFile: string) {
  const rounds = ROUNDS.slice(0, 2);
  const vehicles = await enrol(suite, 'Ed25519');
  const micros = rounds.map((): number[] => []);
  for (const known of KNOWN) {
    await knowDevices(endpointsFile, known);
    for (const [n, round] of rounds.entries()) micros[n]!.push((await measure(suite, vehicles, round)).totalMicros);
  }
  return rounds.map(({ name }, n) => {
    const [few, many] = micros[n] as [number, number];
    const growth = many / few - 1;
    say(
      `${name}, ${KNOWN.join(' and ')} devices known: ${few.toFixed(0)} and ${many.toFixed(0)} us CPU a record, ` +
        `${(growth * 100).toFixed(0)} % more (at most ${FLATNESS * 100} %)`,
    );
    return { name, known: KNOWN, micros: [few, many], growth };
  });
}

async function enrol(suite: Suite, keyType: 'Ed25519' | 'P-256'): Promise<EnrolledVehicle[]> {
  const vehicles: EnrolledVehicle[] = [];
  for (let n = 0; n < VEHICLES; n++) {
    vehicles.push(await suite.enrolled(`bench-${randomBytes(6).toString('hex')}`, keyType));
  }
  return vehicles;
}
