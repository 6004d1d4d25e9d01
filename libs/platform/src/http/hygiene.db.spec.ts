/** Listeners against those who open too much, speak old TLS, or come back with a session of the past. */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Denylist, type DenylistEntry } from '@outrider/admission';
import { DENYLIST_BUCKET, DENYLIST_HEARTBEAT_KEY, denylistKey } from '@outrider/contracts';
import { DeviceId, InstanceId } from '@outrider/ids';
import { issueVehicle, type Party, startGround, type TestGround, until } from '@outrider/testing';
import { readDecisions } from '../admission/decision-log.fixture.js';
import { DenylistFeed } from '../admission/denylist-feed.client.js';
import { ProbeModule } from '../admission/probe.fixture.js';
import { migrate } from '../postgres/index.js';
import { createApplication } from '../service/boot.provider.js';
import { serviceConfig } from '../service/config.js';
import { createLogger } from '../service/logger.provider.js';
import { Listeners } from './listeners.service.js';

const WAIT_MS = 20_000;
const HOME = '127.0.0.1';
const LIMITS = {
  connections: 500,
  connectionsPerAddress: 40,
  handshakes: 8,
  handshakesPerAddress: 4,
  exempt: ['127.0.0.3'],
};

let ground: TestGround;
let app: NestFastifyApplication;
let writer: NatsConnection;
let gateway: NatsConnection;
let a: Party;
let b: Party;
let port: number;
let httpPort: number;
let beating: NodeJS.Timeout;
const list = new Denylist();

beforeAll(async () => {
  ground = await startGround('telemetry');
  [a, b] = (await Promise.all(
    ['device-a', 'device-b'].map((name) => issueVehicle(ground.fleet, DeviceId.parse(name))),
  )) as [Party, Party];
  writer = await ground.nats.connectAs('revocation');
  gateway = await ground.nats.connectAs('gateway');
  const config = serviceConfig({}).parse({ ...ground.config, connectionLimits: LIMITS });
  const instance = InstanceId.parse('telemetry-00000001');
  const logger = createLogger('telemetry', instance, config.logLevel);
  await migrate(config, [], logger);
  app = await createApplication(
    { module: ProbeModule, entities: [] },
    { service: 'telemetry', instance, config, logger },
  );
  await app.get(Listeners).open();
  port = config.listeners.vehicle!.port;
  httpPort = config.listeners.http.port;
  beating = setInterval(() => void beat().catch(() => undefined), 200);
  await until(() => app.get(DenylistFeed).freshness() === 'fresh', WAIT_MS);
}, 60_000);

afterAll(async () => {
  clearInterval(beating);
  await app?.close();
  await Promise.all([writer?.close(), gateway?.close()]);
  await ground?.stop();
});

async function bucket() {
  return new Kvm(writer).open(DENYLIST_BUCKET.name, { bindOnly: true });
}

async function beat(): Promise<void> {
  const { sequence, count, digest } = list;
  await (await bucket()).put(DENYLIST_HEARTBEAT_KEY, JSON.stringify({ generation: 1, sequence, count, digest }));
}

async function deny(value: string): Promise<void> {
  const sequence = list.sequence + 1;
  const entry: DenylistEntry = { kind: 'certificate', value, mode: 'deny', reason: 'test', sequence };
  list.apply(entry);
  await (await bucket()).put(denylistKey('certificate', value), JSON.stringify(entry));
  await beat();
  await until(() => app.get(DenylistFeed).sequence >= sequence, WAIT_MS);
}

/** Connections that say nothing, from one address. */
async function silent(localAddress: string, count: number): Promise<net.Socket[]> {
  const sockets = Array.from({ length: count }, () => net.connect({ host: HOME, port, localAddress }));
  for (const socket of sockets) socket.on('error', () => undefined).resume();
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  return sockets;
}

/** A vehicle's connection after its handshake, and what it is answered. */
async function open(
  party: Party,
  more: tls.ConnectionOptions & { localAddress?: string } = {},
): Promise<tls.TLSSocket> {
  const identity = { cert: party.certificatePem, key: party.privateKeyPem };
  const socket = tls.connect({ host: HOME, port, ca: ground.fleet.root.certificatePem, ...identity, ...more });
  await once(socket, 'secureConnect');
  return socket;
}

/** The status line, or that there was none. */
function ask(socket: tls.TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (part) => {
      text += part.toString();
      if (text.includes('\r\n')) resolve(text.split('\r\n', 1)[0]!);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve('no answer'));
    socket.write('GET /certificate HTTP/1.1\r\nHost: x\r\n\r\n');
  });
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://${HOME}:${httpPort}/metrics`)).text();
  return Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (.*)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

const waiting = () => metric('outrider_handshakes_waiting{listener="vehicle"}');

describe('a listener', () => {
  it('takes so many connections of one address and closes what is beyond, at no cost to others', async () => {
    const sockets = await silent('127.0.0.2', 40);
    const beyond = net.connect({ host: HOME, port, localAddress: '127.0.0.2' });
    beyond.on('error', () => undefined).resume();
    await once(beyond, 'close');
    const car = await open(a);
    expect(await ask(car)).toBe('HTTP/1.1 200 OK');
    const more = await silent('127.0.0.3', 60);
    expect(more.some((socket) => socket.destroyed)).toBe(false);
    expect(await metric('outrider_connections_refused_total{listener="vehicle",limit="address"}')).toBe(1);
    for (const socket of [...sockets, ...more]) socket.destroy();
    await until(async () => (await waiting()) === 0, WAIT_MS);
    const again = await open(b, { localAddress: '127.0.0.2' });
    expect(await ask(again)).toBe('HTTP/1.1 200 OK');
    car.destroy();
    again.destroy();
    await until(
      async () =>
        (await readDecisions(gateway, 'telemetry')).some(
          ({ code, remoteAddress }) => code === 'tls.too_many_connections' && remoteAddress === '127.0.0.2',
        ),
      WAIT_MS,
    );
  });

  it('lets no address hold up the handshakes of others, nor for ever its own', async () => {
    const sockets = await silent('127.0.0.2', 12);
    // Its own wait behind those who say nothing; somebody else does not.
    const behind = open(b, { localAddress: '127.0.0.2' });
    await until(async () => (await waiting()) > 0, WAIT_MS);
    const other = await open(a);
    expect(await ask(other)).toBe('HTTP/1.1 200 OK');
    expect(await ask(await behind)).toBe('HTTP/1.1 200 OK');
    for (const socket of [...sockets, other, await behind]) socket.destroy();
    await until(async () => (await waiting()) === 0, WAIT_MS);
  });

  it.each([
    [{ maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    [{ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA' }],
    [{ maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES256-GCM-SHA384:AES256-GCM-SHA384' }],
    [{ minVersion: 'TLSv1.3', ecdhCurve: 'ffdhe2048' }],
    [{ minVersion: 'TLSv1.3', ecdhCurve: 'P-521' }],
  ] as const)('speaks with nobody who offers only %j', async (options) => {
    await expect(open(a, options as tls.ConnectionOptions)).rejects.toThrow();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('lets no %s session outlive its vehicle', async (version) => {
    const party = await issueVehicle(ground.fleet, DeviceId.parse(`device-${version.toLowerCase().replace('.', '-')}`));
    const only = { minVersion: version, maxVersion: version };
    const first = await open(party, only);
    let session: Buffer | undefined = version === 'TLSv1.2' ? first.getSession() : undefined;
    first.on('session', (ticket: Buffer) => {
      session = ticket;
    });
    expect(await ask(first)).toBe('HTTP/1.1 200 OK');
    await until(() => session !== undefined, WAIT_MS);
    first.destroy();
    const resumed = await open(party, { ...only, session });
    expect([resumed.isSessionReused(), await ask(resumed)]).toEqual([true, 'HTTP/1.1 200 OK']);
    resumed.destroy();
    await deny(party.certificate.thumbprint);
    // By whatever handshake it is told why.
    const late = await open(party, { ...only, session });
    expect(await ask(late)).toBe('HTTP/1.1 403 Forbidden');
    late.destroy();
    await until(async () => {
      const again = await open(party, { ...only, session });
      again.destroy();
      return !again.isSessionReused();
    }, WAIT_MS);
    expect(await metric('outrider_ticket_keys_renewed_total')).toBeGreaterThan(0);
  });
});
