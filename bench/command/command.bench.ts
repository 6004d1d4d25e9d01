/**
 * Commands end to end, with 500 vehicles on open streams, on a suite of its own: from the operator's request to the vehicle's receipt at an
 * easy pace, at 300 a second, and as fast as they go. An end is an outcome that is signed, verified and stored.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, loadAverage } from '../enrol/cpu.client.js';
import { startOwnSuite } from '../suite/own-suite.client.js';
import { Suite } from '../suite/suite.client.js';
import { CommandSender } from './sender.client.js';
import { StreamingVehicle } from './vehicle.client.js';

const VEHICLES = Number(process.env.OUTRIDER_BENCH_VEHICLES ?? 500);
const SECONDS = Number(process.env.OUTRIDER_BENCH_SECONDS ?? 10);
const MEASURED = ['command', 'gateway', 'token'] as const;
const GIVE_UP_MS = 60_000;

interface Times {
  readonly sent: number;
  received?: number;
  stored?: number;
}

const own = startOwnSuite(['fleet-ca', 'provisioning', 'token', 'command', 'revocation', 'gateway']);
try {
  await measure(Suite.find());
} finally {
  own.stop();
}

async function measure(suite: Suite): Promise<void> {
  const times = new Map<string, Times>();
  const early = new Map<string, Partial<Times>>();
  const failures: string[] = [];
  const mark = (id: string, what: 'received' | 'stored', at: number) => {
    // A vehicle may have it before the operator's answer has come.
    const known = times.get(id) ?? early.get(id) ?? early.set(id, {}).get(id)!;
    (known as { received?: number; stored?: number })[what] = at;
  };
  const heard = {
    received: (id: string, at: number) => mark(id, 'received', at),
    stored: (id: string, at: number) => mark(id, 'stored', at),
    failed: (error: unknown) => failures.push(String(error)),
  };
  const run = randomBytes(3).toString('hex');
  const vehicles: StreamingVehicle[] = [];
  await inParallel(VEHICLES, 6, async (n) => {
    const vehicle = new StreamingVehicle(suite, await suite.enrolled(`command-${run}-${n}`, 'P-256'), heard);
    await vehicle.connect();
    vehicles.push(vehicle);
  });
  console.log(`${vehicles.length} vehicles on open streams; load ${loadAverage()}`);
  const sender = new CommandSender(suite);
  const send = async (n: number) => {
    const sent = performance.now();
    try {
      const id = await sender.send(vehicles[n % vehicles.length]!.deviceId);
      times.set(id, { sent, ...early.get(id) });
    } catch (error) {
      // A refusal is a result, too: it is counted, and the round goes on.
      failures.push(String(error));
    }
  };
  const settled = async () => {
    const end = performance.now() + GIVE_UP_MS;
    while ([...times.values()].some(({ stored }) => stored === undefined)) {
      if (performance.now() > end) break;
      await sleep(5);
    }
  };
  const round = async (name: string, work: () => Promise<void>) => {
    times.clear();
    early.clear();
    failures.length = 0;
    const before = MEASURED.map((service) => cpuSeconds(suite.pid(service)));
    const startedAt = performance.now();
    await work();
    await settled();
    const all = [...times.values()];
    const seconds = (Math.max(...all.map(({ stored = startedAt }) => stored)) - startedAt) / 1000;
    const cpu = MEASURED.map((service, index) => {
      const each = ((cpuSeconds(suite.pid(service)) - before[index]!) / all.length) * 1000;
      return `${service} ${each.toFixed(2)}`;
    });
    const missing = all.filter(({ stored }) => stored === undefined).length;
    console.log(
      `${name}: ${all.length} sent, ${(all.length / seconds).toFixed(0)}/s to the stored outcome; receipt ${percentiles(all, 'received')}; ` +
        `outcome stored ${percentiles(all, 'stored')}; CPU ms each: ${cpu.join(', ')}; load ${loadAverage()}`,
    );
    if (missing > 0) console.log(`  ${missing} without an outcome`);
    if (failures.length > 0) console.log(`  ${failures.length} failures, e.g. ${failures.slice(0, 3).join(' | ')}`);
  };
  await round('warm-up, 20/s', () => paced(20, 3, send));
  await round('20/s', () => paced(20, SECONDS, send));
  await round('300/s', () => paced(300, SECONDS, send));
  await round('as fast as they go, 64 at once', () => inParallel(300 * SECONDS, 64, send));
  const renewed = vehicles.reduce((sum, vehicle) => sum + vehicle.renewed, 0);
  const opened = vehicles.reduce((sum, vehicle) => sum + vehicle.opened, 0);
  console.log(`${renewed} tokens renewed on open streams; ${opened - vehicles.length} streams had to be opened again`);
  await sender.close();
  await Promise.all(vehicles.map((vehicle) => vehicle.close()));
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

function percentiles(all: readonly Times[], what: 'received' | 'stored'): string {
  const values = all
    .flatMap((each) => (each[what] === undefined ? [] : [each[what] - each.sent]))
    .sort((a, b) => a - b);
  const at = (share: number) => (values[Math.max(0, Math.ceil(share * values.length) - 1)] ?? Number.NaN).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`;
}
