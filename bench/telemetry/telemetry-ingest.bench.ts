/** Accepted messages a second of the one telemetry process of a running suite (`npm start -- --no-demo`), and what each costs it. */
import { randomBytes } from 'node:crypto';
import { Suite } from '../suite/suite.client.js';
import { Sender } from './sender.client.js';

const VEHICLES = 32;
const ROUNDS = [
  { name: 'single messages, Ed25519', keyType: 'Ed25519', perBody: 1, bodies: 150 },
  { name: 'bodies of 100, Ed25519', keyType: 'Ed25519', perBody: 100, bodies: 20 },
  { name: 'bodies of 100, ECDSA P-256', keyType: 'P-256', perBody: 100, bodies: 20 },
] as const;
const PROCESS_CPU = 'process_cpu_seconds_total';

const suite = Suite.find();
const run = randomBytes(3).toString('hex');

for (const [index, { name, keyType, perBody, bodies }] of ROUNDS.entries()) {
  const vehicles: Sender[] = [];
  for (let n = 0; n < VEHICLES; n++) {
    const vehicle = await suite.enrolled(`bench-${run}-${index}-${n}`, keyType);
    const token = await suite.token(vehicle, 'telemetry:write');
    vehicles.push(new Sender(vehicle.deviceId, vehicle.key, suite.connect('telemetry', vehicle), token));
  }
  const prepared = vehicles.map((vehicle) => Array.from({ length: bodies }, () => vehicle.body(perBody)));
  const latencies: number[] = [];
  const cpuBefore = await suite.metric('telemetry', PROCESS_CPU);
  const startedAt = performance.now();
  const accepted = await Promise.all(
    vehicles.map(async (vehicle, n) => {
      let count = 0;
      for (const body of prepared[n]!) {
        const sentAt = performance.now();
        count += await vehicle.send(body);
        latencies.push(performance.now() - sentAt);
      }
      return count;
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const cpuSeconds = (await suite.metric('telemetry', PROCESS_CPU)) - cpuBefore;
  const total = accepted.reduce((sum, count) => sum + count, 0);
  if (total !== VEHICLES * bodies * perBody)
    throw new Error(`${total} messages accepted of ${VEHICLES * bodies * perBody}`);
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(share * (latencies.length - 1))]!.toFixed(1);
  console.log(
    `${name}: ${Math.round(total / seconds)} accepted/s, ${((cpuSeconds / total) * 1e6).toFixed(0)} us CPU each ` +
      `(${(cpuSeconds / seconds).toFixed(2)} cores), answer p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
  );
  await Promise.all(vehicles.map((vehicle) => vehicle.close()));
}
