/**
 * From `POST /revoke` to refusal, with 100 vehicles connected to the four vehicle listeners of a running suite
 * (`npm start -- --no-demo`): each vehicle is revoked in turn, and for each service the time is taken until its open
 * connection is closed, and until a request on a new one is refused.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'undici';
import { z } from 'zod';
import { type EnrolledVehicle, Suite } from '../suite/suite.client.js';

const VEHICLES = 100;
const SERVICES = ['provisioning', 'token', 'telemetry', 'command'] as const;
const GIVE_UP_MS = 5000;

const Revoked = z.object({ enforcedBy: z.array(z.object({ ms: z.number() })), pending: z.array(z.unknown()) });

interface Connected {
  readonly vehicle: EnrolledVehicle;
  readonly telemetryToken: string;
  readonly connections: ReadonlyMap<string, Client>;
}

const suite = Suite.find();
const run = randomBytes(3).toString('hex');
const connected: Connected[] = [];
for (let n = 0; n < VEHICLES; n++) {
  const vehicle = await suite.enrolled(`revoke-${run}-${n}`, n % 2 === 0 ? 'P-256' : 'Ed25519');
  const telemetryToken = await suite.token(vehicle, 'telemetry:write');
  const connections = new Map<string, Client>();
  for (const service of SERVICES) {
    const client = suite.connect(service, vehicle);
    await ask(client, service, vehicle, telemetryToken);
    connections.set(service, client);
  }
  connected.push({ vehicle, telemetryToken, connections });
}
console.log(`${VEHICLES} vehicles, ${VEHICLES * SERVICES.length} open connections`);

const closed: number[] = [];
const refused = new Map<string, number[]>(SERVICES.map((service) => [service, []]));
const worst: number[] = [];
const answers: number[] = [];
for (const { vehicle, telemetryToken, connections } of connected) {
  const begun = performance.now();
  const closings = [...connections.values()].map((client) => closing(client, begun));
  const refusals = SERVICES.map((service) => refusal(service, vehicle, telemetryToken, begun));
  const revocation = suite
    .operate('revocation', '/revoke?wait=enforced', { device_id: vehicle.deviceId, reason: 'key-compromise' })
    .then((answer) => {
      answers.push(performance.now() - begun);
      return Revoked.parse(answer);
    });
  const [answer, closedAt, refusedAt] = await Promise.all([revocation, Promise.all(closings), Promise.all(refusals)]);
  if (answer.pending.length > 0) throw new Error(`pending: ${JSON.stringify(answer.pending)}`);
  closed.push(Math.max(...closedAt));
  for (const [index, service] of SERVICES.entries()) refused.get(service)?.push(refusedAt[index]!);
  worst.push(Math.max(...closedAt, ...refusedAt));
}

line('POST /revoke?wait=enforced answered', answers);
line('every live connection closed', closed);
for (const service of SERVICES) line(`refused on a new connection: ${service}`, refused.get(service)!);
line('all of it', worst);
console.log(`load ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores; the client takes its part of them`);

/** The vehicle's usual request of each service: something that is answered without `denylist.` while it may. */
async function ask(
  client: Client,
  service: (typeof SERVICES)[number],
  vehicle: EnrolledVehicle,
  token: string,
): Promise<number> {
  const { statusCode, body } = await client.request(usual(service, vehicle, token));
  await body.dump();
  return statusCode;
}

function usual(service: (typeof SERVICES)[number], { deviceId }: EnrolledVehicle, token: string) {
  const authorization = `Bearer ${token}`;
  const form = { grant_type: 'client_credentials', client_id: deviceId, scope: 'telemetry:write' };
  if (service === 'token') {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', path: '/oauth2/token', headers, body: new URLSearchParams(form).toString() } as const;
  }
  if (service === 'telemetry')
    return { method: 'GET', path: '/v1/telemetry/window', headers: { authorization } } as const;
  if (service === 'command') return { method: 'GET', path: '/v1/commands/next', headers: { authorization } } as const;
  const headers = { 'content-type': 'application/pkcs10' };
  return { method: 'POST', path: '/.well-known/est/simplereenroll', headers, body: 'AA==' } as const;
}

/** Ms until the server ends the connection; it is idle, so only the denylist ends it within the time given. */
function closing(client: Client, begun: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('a connection stayed open')), GIVE_UP_MS);
    client.once('disconnect', () => {
      clearTimeout(late);
      resolve(performance.now() - begun);
    });
  });
}

/** Ms until a connection opened just now is told that its certificate, key or device is out of service. */
async function refusal(
  service: (typeof SERVICES)[number],
  vehicle: EnrolledVehicle,
  token: string,
  begun: number,
): Promise<number> {
  for (;;) {
    const client = suite.connect(service, vehicle);
    try {
      const { body } = await client.request(usual(service, vehicle, token));
      if ((await body.text()).includes('denylist.')) return performance.now() - begun;
    } catch (error) {
      // A connection may be ended between its handshake and its answer.
      if (performance.now() - begun > GIVE_UP_MS) throw error;
    } finally {
      await client.destroy();
    }
    // A handshake costs both sides some 2 ms: asking without a pause would measure the asking.
    await sleep(10);
    if (performance.now() - begun > GIVE_UP_MS) throw new Error(`${service} did not refuse ${vehicle.deviceId}`);
  }
}

function line(name: string, values: readonly number[]): void {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => `${sorted[Math.ceil(share * sorted.length) - 1]!.toFixed(0)} ms`;
  console.log(`${name}: p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} (n=${sorted.length})`);
}
