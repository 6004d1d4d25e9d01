import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { serviceCertificateRenew } from '@outrider/contracts';
import { signDer } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { InstanceId, SerialNumber } from '@outrider/ids';
import {
  createTestFleet,
  crossRoots,
  issue,
  type Party,
  startGround,
  type TestFleet,
  type TestGround,
} from '@outrider/testing';
import { issueCertificate, OID, parseCertificationRequest, toPem } from '@outrider/x509';
import { Listeners } from '../http/listeners.service.js';
import { migrate } from '../postgres/index.js';
import { createApplication } from '../service/boot.provider.js';
import { serviceConfig } from '../service/config.js';
import { createLogger } from '../service/logger.provider.js';
import { Readiness } from '../service/readiness.service.js';
import { TrustFiles } from '../service/trust-files.service.js';
import { IdentityRenewal } from './identity-renewal.service.js';
import { encodeError, encodeReply } from './reply.js';
import { ServiceIdentity } from './service-identity.provider.js';

@Module({})
class EmptyModule {}

const MINUTE_MS = 60_000;
const parse = serviceConfig({}).parse.bind(serviceConfig({}));
let ground: TestGround;
let fleet: TestFleet;
let app: NestFastifyApplication;
let config: ReturnType<typeof parse>;
let stateDirectory: string;
let ca: NatsConnection;
let asked = 0;
let lastAsked: (request: { csr: string; requestId: string }) => unknown = () => undefined;
/** What fleet-ca answers now. */
let answer: (csr: ReturnType<typeof parseCertificationRequest>) => Promise<object>;

const names = { sanUri: 'spiffe://fleet.example.com/service/telemetry', sanDns: ['localhost'], sanIps: ['127.0.0.1'] };
/** Of `minutes`, half an hour of which are over. */
const given = (minutes: number) =>
  issue('service-server', fleet.infrastructureCa, {
    ...{ name: 'telemetry', ...names },
    notBefore: new Date(Date.now() - 60 * MINUTE_MS),
    notAfter: new Date(Date.now() + (minutes - 60) * MINUTE_MS),
  });

async function certify(spkiDer: Uint8Array, more: { service?: string; sanDns?: string[] } = {}) {
  const { service = 'telemetry', ...rest } = more;
  const certificate = await issueCertificate(
    {
      profile: 'service-server',
      serialNumber: SerialNumber.parse(`7f${Buffer.from(crypto.getRandomValues(new Uint8Array(15))).toString('hex')}`),
      subject: [{ type: OID.commonName, value: service }],
      spkiDer,
      notBefore: new Date(Date.now() - 5 * MINUTE_MS),
      notAfter: new Date(Date.now() + 120 * MINUTE_MS),
      ...{ ...names, sanUri: `spiffe://fleet.example.com/service/${service}`, ...rest },
    },
    fleet.infrastructureCa.certificate,
    (tbs) => signDer(fleet.infrastructureCa.privateKey, tbs),
  );
  const [der, issuer] = [certificate.der, fleet.infrastructureCa.certificate.der].map((each) =>
    Buffer.from(each).toString('base64'),
  );
  return { certificate: der, issuer };
}

beforeAll(async () => {
  ground = await startGround('telemetry');
  fleet = ground.fleet;
  stateDirectory = mkdtempSync(join(tmpdir(), 'outrider-identity-'));
  put(await given(75));
  config = parse({ ...ground.config, identity: { ...ground.config.identity, renewal: 'self', stateDirectory } });
  const instance = InstanceId.parse('telemetry-00000001');
  const logger = createLogger('telemetry', instance, config.logLevel);
  await migrate(config, [], logger);
  ca = await ground.nats.connectAs('fleet-ca');
  ca.subscribe(serviceCertificateRenew('telemetry').subject, {
    callback: (_, message) => {
      asked += 1;
      const [, payload = ''] = message.json<{ request: string }>().request.split('.');
      const { csr, requestId } = JSON.parse(Buffer.from(payload, 'base64url').toString());
      lastAsked({ csr, requestId });
      void answer(parseCertificationRequest(csr)).then(
        (reply) => message.respond(encodeReply(reply)),
        (error: DomainError) => message.respond(encodeError(error)),
      );
    },
  });
  answer = () => Promise.resolve({});
  await ca.flush();
  app = await createApplication(
    { module: EmptyModule, entities: [] },
    { service: 'telemetry', instance, config, logger },
  );
  await app.get(Listeners).open();
}, 60_000);

afterAll(async () => {
  await app?.close();
  await ca?.close();
  await ground?.stop();
  if (stateDirectory) rmSync(stateDirectory, { recursive: true, force: true });
});

beforeEach(() => {
  answer = ({ spkiDer }) => certify(spkiDer);
});

/** As the ceremony, or cert-manager, puts it there. */
function put(party: Party): void {
  writeFileSync(ground.config.identity.keyFile, party.privateKeyPem);
  writeFileSync(ground.config.identity.certificateFile, party.certificatePem + fleet.infrastructureCa.certificatePem);
}

const file = () => join(stateDirectory, 'identity.pem');
const own = () => app.get(ServiceIdentity).certificate;
const standing = async () => (await app.get(Readiness).report()).checks['identity'];
/** A round as if the retry's time had come. */
const look = () => {
  Object.assign(app.get(IdentityRenewal), { retryAtMs: 0 });
  return app.get(IdentityRenewal).look(new Date());
};

async function connect(): Promise<[tls.TLSSocket, string]> {
  const { host, port } = config.listeners.operator!;
  const socket = tls.connect({ host, port, ca: fleet.root.certificatePem });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return [socket, socket.getPeerX509Certificate()!.serialNumber.toLowerCase()];
}

async function statusOn(socket: tls.TLSSocket): Promise<string> {
  socket.write('GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return new Promise((resolve, reject) => {
    socket.once('data', (chunk) => resolve(chunk.toString().slice(0, 12)));
    socket.once('close', () => reject(new Error('the connection is gone')));
  });
}

it('says so where it is not renewed, and goes on with the one it has', async () => {
  const before = own();
  answer = ({ spkiDer }) => certify(spkiDer, { service: 'revocation' });
  await look();
  expect(await standing()).toMatchObject({
    ok: true,
    detail: { failed: expect.stringContaining('names another service') },
  });
  answer = ({ spkiDer }) => certify(spkiDer, { sanDns: ['localhost', 'gateway'] });
  await look();
  answer = () => certify(new Uint8Array(fleet.vehicleCa.certificate.spkiDer));
  await look();
  expect(await standing()).toMatchObject({ detail: { failed: expect.stringContaining('another key') } });
  expect([own().thumbprint, existsSync(file())]).toEqual([before.thumbprint, false]);
});

it('waits before it asks again', async () => {
  answer = () => Promise.resolve({});
  await look();
  const before = asked;
  await app.get(IdentityRenewal).look(new Date());
  expect(asked).toBe(before);
});

it('asks for the same again until there is an answer, and for nothing where it could not keep it', async () => {
  const requests: { requestId: string; csr: string }[] = [];
  lastAsked = (request) => requests.push(request);
  // As if the answer were lost on its way.
  answer = () => Promise.reject(new DomainError('ca.key_unavailable'));
  await look();
  await look();
  expect(new Set(requests.map(({ requestId, csr }) => `${requestId} ${csr}`)).size).toBe(1);
  answer = () => Promise.reject(new DomainError('ca.request_refused'));
  await look();
  answer = () => Promise.reject(new DomainError('ca.key_unavailable'));
  await look();
  expect(new Set(requests.map(({ requestId }) => requestId)).size).toBe(2);
  // A file where the folder should be: whoever runs this may write everywhere else.
  rmSync(stateDirectory, { recursive: true, force: true });
  writeFileSync(stateDirectory, '');
  const before = asked;
  await look();
  expect(asked).toBe(before);
  expect(await standing()).toMatchObject({ detail: { failed: expect.stringContaining(stateDirectory) } });
  rmSync(stateDirectory);
  mkdirSync(stateDirectory);
  lastAsked = () => undefined;
});

it('is renewed: a kept connection lives on, a new handshake sees the new certificate', async () => {
  const before = own();
  const [kept, shown] = await connect();
  expect(shown).toBe(before.serialNumber);
  await look();
  const renewed = own();
  expect(renewed.serialNumber).not.toBe(before.serialNumber);
  expect(renewed.keyThumbprint).not.toBe(before.keyThumbprint);
  const [fresh, shownNow] = await connect();
  expect(shownNow).toBe(renewed.serialNumber);
  expect([await statusOn(kept), await statusOn(fresh)]).toEqual(['HTTP/1.1 404', 'HTTP/1.1 404']);
  for (const socket of [kept, fresh]) socket.destroy();
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(await standing()).toEqual({ ok: true, detail: { renewal: 'self', notAfter: renewed.notAfter.toISOString() } });
  // Nothing is due any more.
  const questions = asked;
  await look();
  expect(asked).toBe(questions);
});

it('sends along what leads to a new root, as soon as there is one', async () => {
  const next = await createTestFleet();
  const cross = await crossRoots(fleet.root, next.root);
  writeFileSync(config.trust.fleetRootFile.replace(/\.[^./]+$/, '.old-with-new.crt'), toPem(cross.der, 'CERTIFICATE'));
  app.get(TrustFiles).look();
  await look();
  const pem = readFileSync(file(), 'utf8');
  expect(pem.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
  const { serialNumber } = own();
  expect((await connect()).map((each) => (typeof each === 'string' ? each : each.destroy() && ''))).toContain(
    serialNumber,
  );
});

it('gives way to a certificate that was put there later', async () => {
  const renewed = own();
  const later = await issue('service-server', fleet.infrastructureCa, {
    ...{ name: 'telemetry', ...names, notBefore: new Date(Date.now() - MINUTE_MS) },
  });
  put(later);
  app.get(TrustFiles).look();
  expect(own().thumbprint).toBe(later.certificate.thumbprint);
  // And takes the place of one that is over.
  put(await given(30));
  app.get(TrustFiles).look();
  expect(own().thumbprint).toBe(renewed.thumbprint);
});

it.each([
  ['nonsense', () => 'nonsense'],
  [
    'the identity of another service',
    async () => {
      const other = await issue('service-server', fleet.infrastructureCa, {
        ...{ name: 'revocation', ...names, sanUri: 'spiffe://fleet.example.com/service/revocation' },
      });
      return other.privateKeyPem + other.certificatePem;
    },
  ],
])('takes %s in its place for nothing', async (_, content) => {
  put(await given(300));
  writeFileSync(file(), await content());
  app.get(TrustFiles).look();
  expect(own().sanUris).toEqual([names.sanUri]);
  expect(own().notAfter.getTime()).toBeGreaterThan(Date.now() + 200 * MINUTE_MS);
});
