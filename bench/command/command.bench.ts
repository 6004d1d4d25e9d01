/**
 * Commands end to end, with 500 vehicles on open streams, on a suite of its own: from the operator's request to the vehicle's receipt at an
 * easy pace, at 300 a second, and as fast as they go. An end is an outcome that is signed, verified and stored. `--json`: one JSON document
 * alone. The generator (the operator and 500 vehicles with their TLS, signatures and tokens) is on the same machine, and told beside.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadAverage } from '../enrol/cpu.client.js';
import { startOwnSuite } from '../suite/own-suite.client.js';
import { Suite } from '../suite/suite.client.js';
import { type Percentiles, type Round, Rounds } from './round.client.js';
import { CommandSender } from './sender.client.js';
import { StreamingVehicle } from './vehicle.client.js';

const VEHICLES = Number(process.env.OUTRIDER_BENCH_VEHICLES ?? 500);
const SECONDS = Number(process.env.OUTRIDER_BENCH_SECONDS ?? 10);
const json = process.argv.includes('--json');
const say = (line: string) => {
  if (!json) console.log(line);
};

const own = startOwnSuite(['fleet-ca', 'provisioning', 'token', 'command', 'revocation', 'gateway']);
try {
  await measure(Suite.find());
} finally {
  own.stop();
}

async function measure(suite: Suite): Promise<void> {
  const run = randomBytes(3).toString('hex');
  const vehicles: StreamingVehicle[] = [];
  const sender = new CommandSender(suite);
  const rounds = new Rounds(suite, (n) => sender.send(vehicles[n % vehicles.length]!.deviceId));
  await inParallel(VEHICLES, 6, async (n) => {
    const vehicle = new StreamingVehicle(suite, await suite.enrolled(`command-${run}-${n}`, 'P-256'), rounds);
    await vehicle.connect();
    vehicles.push(vehicle);
  });
  say(`${vehicles.length} vehicles on open streams; load ${loadAverage()}`);
  const done: Round[] = [];
  const measured = async (name: string, work: () => Promise<void>) => {
    const round = await rounds.round(name, work);
    done.push(round);
    say(told(round));
    if (round.missing > 0) say(`  ${round.missing} without an outcome`);
    if (round.failures > 0) say(`  ${round.failures} failures, e.g. ${rounds.firstFailures.join(' | ')}`);
  };
  await measured('warm-up, 20/s', () => paced(20, 3, rounds.send));
  await measured('20/s', () => paced(20, SECONDS, rounds.send));
  await measured('300/s', () => paced(300, SECONDS, rounds.send));
  await measured('as fast as they go, 64 at once', () => inParallel(300 * SECONDS, 64, rounds.send));
  const renewed = vehicles.reduce((sum, vehicle) => sum + vehicle.renewed, 0);
  const opened = vehicles.reduce((sum, vehicle) => sum + vehicle.opened, 0) - vehicles.length;
  say(`${renewed} tokens renewed on open streams; ${opened} streams had to be opened again`);
  const conditions = { vehicles: vehicles.length, processors: availableParallelism(), node: process.version };
  if (json) console.log(JSON.stringify({ conditions, rounds: done, renewed, openedAgain: opened }, undefined, 2));
  await sender.close();
  await Promise.all(vehicles.map((vehicle) => vehicle.close()));
}

function told({ name, sent, perSecond, receipt, stored, cpuMs, load }: Round): string {
  const times = ({ p50, p99, most }: Percentiles) => `p50 ${p50} ms, p99 ${p99} ms, most ${most} ms`;
  const cpu = Object.entries(cpuMs).map(([name, ms]) => `${name} ${ms}`);
  return (
    `${name}: ${sent} sent, ${perSecond}/s to the stored outcome; receipt ${times(receipt)}; outcome stored ${times(stored)}; ` +
    `CPU ms each: ${cpu.join(', ')}; load ${load}`
  );
}

async function inParallel(count: number, atOnce: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

/** Sends on time whatever the answers do: what waits for an answer does not slow the next one down. */
async function paced(perSecond: number, seconds: number, send: (n: number) => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  const under: Promise<void>[] = [];
  for (let n = 0; n < perSecond * seconds; n++) {
    const wait = startedAt + (n * 1000) / perSecond - performance.now();
    if (wait > 0) await sleep(wait);
    under.push(send(n * 7919));
  }
  await Promise.all(under);
}
