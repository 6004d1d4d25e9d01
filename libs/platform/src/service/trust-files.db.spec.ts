import { writeFileSync } from 'node:fs';
import tls from 'node:tls';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DeviceId, InstanceId } from '@outrider/ids';
import {
  createTestDatabase,
  createTestFleet,
  issueService,
  issueVehicle,
  type Party,
  startNats,
  type TestDatabase,
  type TestFleet,
  type TestNats,
  testServiceConfig,
} from '@outrider/testing';
import { Listeners } from '../http/listeners.service.js';
import type { Peer } from '../http/peer.js';
import { migrate } from '../postgres/index.js';
import { createApplication } from './boot.provider.js';
import { serviceConfig } from './config.js';
import { createLogger } from './logger.provider.js';
import { Readiness } from './readiness.service.js';
import { TrustFiles } from './trust-files.service.js';

@Module({})
class EmptyModule {}

const parse = serviceConfig({}).parse.bind(serviceConfig({}));
let [database, nats, app]: [TestDatabase?, TestNats?, NestFastifyApplication?] = [];
let [fleet, next]: TestFleet[] = [];
let config: ReturnType<typeof parse>;
const peers: Peer[] = [];
const open: tls.TLSSocket[] = [];

beforeAll(async () => {
  [fleet, next, database, nats] = await Promise.all([
    createTestFleet(),
    createTestFleet(),
    createTestDatabase('telemetry'),
    startNats(),
  ]);
  config = parse((await testServiceConfig('telemetry', { fleet, database, nats })).config);
  const instance = InstanceId.parse('telemetry-00000001');
  const logger = createLogger('telemetry', instance, config.logLevel);
  await migrate(config, [], logger);
  const runtime = { service: 'telemetry' as const, instance, config, logger };
  app = await createApplication({ module: EmptyModule, entities: [] }, runtime);
  await app.get(Listeners).open();
  app.get(Listeners).events.on('connection', (_, peer) => peers.push(peer));
});

afterAll(async () => {
  for (const socket of open) socket.destroy();
  await app?.close();
  await nats?.stop();
  await database?.drop();
});

/** A vehicle's connection, and what the service thinks of it. */
async function connect({ certificatePem: cert, privateKeyPem: key }: Party): Promise<[tls.TLSSocket, Peer]> {
  const { host, port } = config.listeners.vehicle!;
  const socket = tls.connect({
    host,
    port,
    cert,
    key,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  socket.on('error', () => undefined);
  open.push(socket);
  const before = peers.length;
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  while (peers.length === before) await new Promise((wake) => setTimeout(wake, 10));
  return [socket, peers.at(-1)!];
}

const closed = (socket: tls.TLSSocket) =>
  new Promise((resolve) => (socket.destroyed ? resolve(true) : socket.resume().once('close', resolve)));
const look = () => app!.get(TrustFiles).look();
const vehicleCas = (...authorities: Party[]) =>
  writeFileSync(config.trust.vehicleCaFile, authorities.map(({ certificatePem }) => certificatePem).join(''));
const ready = async () => (await app!.get(Readiness).report()).checks['trust-files'];

it('takes a second issuing CA without a restart, and closes who came by the one that went away', async () => {
  const [old, young] = [
    await issueVehicle(fleet!, DeviceId.parse('device-old')),
    await issueVehicle(next!, DeviceId.parse('device-young')),
  ];
  const [oldSocket, oldPeer] = await connect(old);
  const [early, earlyPeer] = await connect(young);
  expect([oldPeer.authorized, earlyPeer.authorized]).toEqual([true, false]);

  vehicleCas(next!.vehicleCa, fleet!.vehicleCa);
  look();
  // It was let in as a stranger: it comes again as who it is.
  await closed(early);
  const [youngSocket, youngPeer] = await connect(young);
  expect([(await connect(old))[1].authorized, youngPeer.authorized, oldSocket.destroyed]).toEqual([true, true, false]);
  expect(app!.get(TrustFiles).vehicleCa).toHaveLength(2);

  vehicleCas(next!.vehicleCa);
  look();
  await closed(oldSocket);
  expect((await connect(old))[1].authorized).toBe(false);
  expect(youngSocket.destroyed).toBe(false);
});

it.each([
  ['is no PEM', 'nonsense'],
  ['is empty', ''],
  ['is cut short', '-----BEGIN CERTIFICATE-----\nMIIB'],
])('keeps the old where a file %s, and says so', async (_, content) => {
  const before = app!.get(TrustFiles).vehicleCa;
  writeFileSync(config.trust.vehicleCaFile, content);
  look();
  expect(app!.get(TrustFiles).vehicleCa).toBe(before);
  expect(await ready()).toMatchObject({ ok: false, detail: [expect.stringContaining('vehicle-ca.crt')] });
  vehicleCas(next!.vehicleCa);
  look();
  expect(await ready()).toEqual({ ok: true });
});

it('has what was shown beside a leaf for who asks, and needs none of it below an anchor', async () => {
  const vehicle = await issueVehicle(next!, DeviceId.parse('device-below'));
  const shown = { ...vehicle, certificatePem: vehicle.certificatePem + next!.vehicleCa.certificatePem };
  const [[, alone], [, beside]] = [await connect(vehicle), await connect(shown)];
  expect([alone.authorized, beside.authorized]).toEqual([true, true]);
  expect(beside.chain.map((der) => Buffer.from(der))).toEqual([Buffer.from(next!.vehicleCa.certificate.der)]);
});

it('serves a renewed certificate on new connections, once key and certificate fit', async () => {
  const renewed = await issueService(fleet!, 'telemetry');
  const vehicle = await issueVehicle(next!, DeviceId.parse('device-constant'));
  const { certificateFile, keyFile } = config.listeners.vehicle!;
  const served = async () => Buffer.from((await connect(vehicle))[0].getPeerCertificate().raw).toString('base64');
  const before = await served();
  writeFileSync(keyFile, renewed.privateKeyPem);
  look();
  expect(await served()).toBe(before);
  writeFileSync(certificateFile, renewed.certificatePem + fleet!.infrastructureCa.certificatePem);
  look();
  expect(await served()).toBe(Buffer.from(renewed.certificate.der).toString('base64'));
});
