/**
 * From `POST /revoke` to refusal, with 500 vehicles connected to the four vehicle listeners of a suite of its own and telemetry coming in:
 * vehicle after vehicle is revoked for its key, and for each service the time is taken until the vehicle's kept connection there is ended.
 * For every tenth also until a request on a new connection is refused. All times from before the request is sent, on this side.
 * OUTRIDER_BENCH_REVOKED vehicles (100). `--json`: one line.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { z } from 'zod';
import { inParallel } from '../enrol/load.client.js';
import { startOwnSuite } from '../suite/own-suite.client.js';
import { type EnrolledVehicle, Suite } from '../suite/suite.client.js';
import { Sender } from '../telemetry/sender.client.js';

const VEHICLES = Number(process.env.OUTRIDER_BENCH_VEHICLES ?? 500);
const REVOKED = Number(process.env.OUTRIDER_BENCH_REVOKED ?? 100);
const SENDERS = 20;
const SEND_EVERY_MS = 100;
const NEW_CONNECTION_EVERY = 10;
const WIDTH = 8;
/** Servers end connections that are silent for long: each is used again within that time, as vehicles do. */
const USE_EVERY_MS = 20_000;
const SERVICES = ['provisioning', 'token', 'telemetry', 'command'] as const;
const GIVE_UP_MS = 10_000;

const Revoked = z.object({ enforcedBy: z.array(z.object({ ms: z.number() })), pending: z.array(z.unknown()) });

interface Connected {
  readonly vehicle: EnrolledVehicle;
  readonly telemetryToken: string;
  readonly connections: ReadonlyMap<string, Client>;
}

const own = startOwnSuite(['fleet-ca', 'provisioning', 'token', 'telemetry', 'command', 'revocation', 'gateway']);
try {
  await run();
} finally {
  own.stop();
}
process.exit();

async function run(): Promise<void> {
  const suite = Suite.find();
  const name = randomBytes(3).toString('hex');
  const connected: Connected[] = [];
  const revoked = new Set<Connected>();
  const stopUsing = keepInUse(connected, (one) => revoked.has(one));
  await inParallel(
    Array.from({ length: VEHICLES }, (_, n) => n),
    WIDTH,
    async (n) => {
      connected.push(await connectVehicle(suite, `revoke-${name}-${n}`, n));
    },
  );
  const load = await startTelemetry(suite, name);
  const times = { closed: new Map<string, number[]>(), refused: new Map<string, number[]>(), all: [] as number[] };
  const answers: number[] = [];
  const enforced: number[] = [];
  const plain: number[] = [];
  const bare = new Client(suite.httpOrigin('revocation'));
  for (const [turn, one] of connected.slice(0, REVOKED).entries()) {
    revoked.add(one);
    await use(one);
    plain.push(await roundTrip(bare));
    const begun = performance.now();
    const closings = SERVICES.map((service) => closing(one.connections.get(service)!, begun));
    const isAsking = turn % NEW_CONNECTION_EVERY === 0;
    const refusals = isAsking ? SERVICES.map((service) => refusal(suite, service, one, begun)) : [];
    const revocation = suite
      .operate('revocation', '/revoke?wait=enforced', { device_id: one.vehicle.deviceId, reason: 'key-compromise' })
      .then((answer) => {
        answers.push(performance.now() - begun);
        return Revoked.parse(answer);
      });
    const [answer, closedAt, refusedAt] = await Promise.all([revocation, Promise.all(closings), Promise.all(refusals)]);
    if (answer.pending.length > 0) throw new Error(`pending: ${JSON.stringify(answer.pending)}`);
    enforced.push(Math.max(...answer.enforcedBy.map(({ ms }) => ms)));
    for (const [index, service] of SERVICES.entries()) {
      push(times.closed, service, closedAt[index]!);
      if (isAsking) push(times.refused, service, refusedAt[index]!);
    }
    times.all.push(Math.max(...closedAt));
    await sleep(20);
  }
  await stopUsing();
  const sent = await load.stop();
  const rows: [string, readonly number[]][] = [
    ['every kept connection ended', times.all],
    ...SERVICES.map((service): [string, number[]] => [`kept connection ended: ${service}`, times.closed.get(service)!]),
    ...SERVICES.map((service): [string, number[]] => [`refused on a new one: ${service}`, times.refused.get(service)!]),
    ['POST /revoke?wait=enforced answered', answers],
    ['from commit to the last acknowledgement', enforced],
    ['a bare GET of revocation, just before', plain],
  ];
  report(
    rows,
    `${VEHICLES} vehicles, ${VEHICLES * SERVICES.length} kept connections; ${sent} telemetry messages meanwhile`,
  );
}

async function connectVehicle(suite: Suite, deviceId: string, n: number): Promise<Connected> {
  const vehicle = await suite.enrolled(deviceId, n % 2 === 0 ? 'P-256' : 'Ed25519');
  const telemetryToken = await suite.token(vehicle, 'telemetry:write');
  const connections = new Map<string, Client>();
  for (const service of SERVICES) {
    // Kept by this side: only the server ends it.
    const client = suite.connect(service, vehicle, { keepAliveTimeout: 600_000 });
    connections.set(service, client);
  }
  const one = { vehicle, telemetryToken, connections };
  await use(one);
  return one;
}

/** One request on each of its connections. */
async function use({ vehicle, telemetryToken, connections }: Connected): Promise<void> {
  for (const [service, client] of connections) {
    const { body } = await client.request(usual(service as (typeof SERVICES)[number], vehicle, telemetryToken));
    await body.dump();
  }
}

/** Uses all of them in turn, until it is stopped. */
function keepInUse(all: readonly Connected[], isRevoked: (one: Connected) => boolean): () => Promise<void> {
  let isGoing = true;
  const going = (async () => {
    for (let n = 0; isGoing; n += 1) {
      const one = all[n % Math.max(1, all.length)];
      if (one && !isRevoked(one)) await use(one);
      await sleep(USE_EVERY_MS / Math.max(1, all.length));
    }
  })();
  return async () => {
    isGoing = false;
    await going;
  };
}

/** Each of the senders one message, ten times a second, if the answers keep up. */
async function startTelemetry(suite: Suite, name: string) {
  let isGoing = true;
  let sent = 0;
  const senders = Array.from({ length: SENDERS }, async (_, n) => {
    const vehicle = await suite.enrolled(`load-${name}-${n}`, 'P-256');
    const open = async () =>
      Sender.open(suite.url('telemetry', '/v1/telemetry'), vehicle, await suite.token(vehicle, 'telemetry:write'));
    let sender = await open();
    let openedMs = performance.now();
    return async () => {
      while (isGoing) {
        if (performance.now() - openedMs > 60_000) {
          sender.close();
          sender = await open();
          openedMs = performance.now();
        }
        await sender.send(sender.request('single', 1), 1);
        sent += 1;
        await sleep(SEND_EVERY_MS);
      }
      sender.close();
    };
  });
  const loops = (await Promise.all(senders)).map((loop) => loop());
  return {
    stop: async () => {
      isGoing = false;
      await Promise.all(loops);
      return sent;
    },
  };
}

async function roundTrip(client: Client): Promise<number> {
  const begun = performance.now();
  const { body } = await client.request({ method: 'GET', path: '/livez' });
  await body.dump();
  return performance.now() - begun;
}

function push(into: Map<string, number[]>, name: string, value: number): void {
  into.set(name, [...(into.get(name) ?? []), value]);
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
  suite: Suite,
  service: (typeof SERVICES)[number],
  { vehicle, telemetryToken }: Connected,
  begun: number,
): Promise<number> {
  for (;;) {
    const client = suite.connect(service, vehicle);
    try {
      const { body } = await client.request(usual(service, vehicle, telemetryToken));
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

function report(rows: readonly [string, readonly number[]][], conditions: string): void {
  const results = rows.map(([what, values]) => {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1]! * 10) / 10;
    return { what, n: sorted.length, p50: at(0.5), p99: at(0.99), most: at(1) };
  });
  const machine = `load ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores; the client takes its part of them`;
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ bench: 'revoke', conditions, machine, unit: 'ms', results }));
    return;
  }
  console.log(conditions);
  for (const { what, n, p50, p99, most } of results)
    console.log(`${what}: p50 ${p50} ms, p99 ${p99} ms, most ${most} ms (n=${n})`);
  console.log(machine);
}
