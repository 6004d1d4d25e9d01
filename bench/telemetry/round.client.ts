import { setTimeout as sleep } from 'node:timers/promises';
import type { EnrolledVehicle, Suite } from '../suite/suite.client.js';
import type { Shape } from './bodies.js';
import { minus, type Spent, spent } from './processes.client.js';
import { Sender } from './sender.client.js';

export interface Load {
  readonly shape: Shape;
  /** Records of one POST. */
  readonly perBody: number;
  /** Measured POSTs of each vehicle; half as many before, unmeasured. */
  readonly bodies: number;
}

/** CPU in microseconds a record. */
export interface Measured {
  readonly records: number;
  readonly recordsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: Spent;
  /** Service, PostgreSQL and NATS: what the limits of the issue are about. */
  readonly totalMicros: number;
  /** CPU of the same processes in a second in which nobody sends, in milliseconds: heartbeats, leases, timers. Not in the micros above. */
  readonly restMillis: number;
}

/** What follows the last answer (events to JetStream) is the records' own. */
const SETTLE_MS = 1000;
const REST_MS = 2000;

export async function measure(suite: Suite, vehicles: readonly EnrolledVehicle[], load: Load): Promise<Measured> {
  const senders = await Promise.all(
    vehicles.map(async (vehicle) =>
      Sender.open(suite.url('telemetry', '/v1/telemetry'), vehicle, await suite.token(vehicle, 'telemetry:write')),
    ),
  );
  try {
    await drive(senders, load, Math.ceil(load.bodies / 2));
    return await measureOnce(suite, senders, load);
  } finally {
    for (const sender of senders) sender.close();
  }
}

async function measureOnce(suite: Suite, senders: readonly Sender[], load: Load): Promise<Measured> {
  const prepared = prepare(senders, load, load.bodies);
  await sleep(SETTLE_MS);
  const resting = spent(suite);
  await sleep(REST_MS);
  const rest = minus(spent(suite), resting);
  const before = spent(suite);
  const startedAt = performance.now();
  const latencies = await sendAll(senders, prepared, load.perBody);
  const seconds = (performance.now() - startedAt) / 1000;
  await sleep(SETTLE_MS);
  const elapsed = (performance.now() - startedAt) / REST_MS;
  const all = minus(spent(suite), before);
  const own = (name: keyof Spent) => Math.max(0, all[name] - rest[name] * elapsed);
  const [service, postgres, nats, generator] = [own('service'), own('postgres'), own('nats'), own('generator')];
  const records = senders.length * load.bodies * load.perBody;
  const micros = (cpuSeconds: number) => (cpuSeconds / records) * 1e6;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(share * (latencies.length - 1))]!;
  return {
    records,
    recordsPerSecond: records / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuMicros: {
      service: micros(service),
      postgres: micros(postgres),
      nats: micros(nats),
      generator: micros(generator),
    },
    totalMicros: micros(service + postgres + nats),
    restMillis: ((rest.service + rest.postgres + rest.nats) / REST_MS) * 1e6,
  };
}

async function drive(senders: readonly Sender[], load: Load, bodies: number): Promise<void> {
  await sendAll(senders, prepare(senders, load, bodies), load.perBody);
}

function prepare(senders: readonly Sender[], { shape, perBody }: Load, bodies: number): Buffer[][] {
  return senders.map((sender) => Array.from({ length: bodies }, () => sender.request(shape, perBody)));
}

/** Each vehicle one request after the other; the latencies of all, in milliseconds. */
async function sendAll(senders: readonly Sender[], prepared: readonly Buffer[][], count: number): Promise<number[]> {
  const latencies: number[] = [];
  await Promise.all(
    senders.map(async (sender, n) => {
      for (const request of prepared[n]!) {
        const sentAt = performance.now();
        await sender.send(request, count);
        latencies.push(performance.now() - sentAt);
      }
    }),
  );
  return latencies;
}
