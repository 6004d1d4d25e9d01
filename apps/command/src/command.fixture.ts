/** command as it runs, on a real PostgreSQL and NATS; the services around it are real clients under their own NATS users. */
import { randomBytes, randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { certificatesSign, deviceGet, operatorsGet } from '@outrider/contracts';
import { parseJws, signDer } from '@outrider/crypto';
import { CommandId, DeviceId, InstanceId } from '@outrider/ids';
import { Policies } from '@outrider/platform/policy';
import { migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger } from '@outrider/platform/service';
import {
  createTestDatabase,
  createTestFleet,
  startNats,
  startPolicyOwner,
  type TestFleet,
  type TestNats,
  TRUST_DOMAIN,
  testServiceConfig,
} from '@outrider/testing';
import { issueCertificate, OID, parseCertificate, parseCertificationRequest } from '@outrider/x509';
import { CommandRow } from './command/command.entity.js';
import { CommandModule } from './command.module.js';
import { Config } from './config.js';
import { DeliveryService } from './delivery/delivery.service.js';
import { Commands1763803000000 } from './migrations/1763803000000-commands.migration.js';
import { PolicyBasis1764510000000 } from './migrations/1764510000000-policy-basis.migration.js';
import { Presence1764520000000 } from './migrations/1764520000000-presence.migration.js';
import { Sending1764700000000 } from './migrations/1764700000000-sending.migration.js';
import { BatchesAlone1764900000000 } from './migrations/1764900000000-batches-alone.migration.js';
import { CommandReader } from './send/command-reader.service.js';
import { SendService } from './send/send.service.js';
import { requestFingerprint, type SendRequest } from './send/send-command.js';
import { CommandSigner } from './signing/signer.client.js';

const OPERATOR = { roles: ['fleet-operator'], secondFactor: false, elevated: false };
export const PEOPLE = { ann: `op:${randomUUID()}`, annToo: `op:${randomUUID()}`, ben: `op:${randomUUID()}` };
/** Who stands behind accounts. */
const IDENTITIES: Readonly<Record<string, string>> = {
  'op:1': 'ann@fleet',
  'op:1-too': 'ann@fleet',
  'op:2': 'ben@fleet',
  'op:puppet': 'puppet@fleet',
  [PEOPLE.ann]: 'ann@fleet',
  [PEOPLE.annToo]: 'ann@fleet',
  [PEOPLE.ben]: 'ben@fleet',
};
/** Who made an account may hold its key. */
const KEYED_BY: Readonly<Record<string, string[]>> = { 'op:puppet': ['ann@fleet'] };
export const RIGHTS = ['command:send', 'command:send-critical'];
let next = 0;
export const newDevice = () => DeviceId.parse(`device-${++next}`);

const MIGRATIONS = [
  Commands1763803000000,
  PolicyBasis1764510000000,
  Presence1764520000000,
  Sending1764700000000,
  BatchesAlone1764900000000,
];

/** fleet-ca's answer, by the test fleet's control CA. */
async function answerSign(fleet: TestFleet, msg: { string(): string; respond(data: string): boolean }): Promise<void> {
  const { payload } = parseJws(JSON.parse(msg.string()).request, 100_000);
  const [{ csr, requestId }] = JSON.parse(Buffer.from(payload).toString()).items;
  const now = Date.now();
  const certificate = await issueCertificate(
    {
      profile: 'command-signer',
      serialNumber: parseCertificate(fleet.root.certificate.der).serialNumber,
      subject: [{ type: OID.commonName, value: 'command' }],
      spkiDer: parseCertificationRequest(csr).spkiDer,
      notBefore: new Date(now - 60_000),
      notAfter: new Date(now + 86_400_000 - 60_000),
      sanUri: `spiffe://${TRUST_DOMAIN}/service/command`,
    },
    fleet.controlCa.certificate,
    async (tbs) => signDer(fleet.controlCa.privateKey, tbs),
  );
  const { serialNumber, thumbprint, keyThumbprint, notBefore, notAfter } = certificate;
  const ref = { issuerKeyId: 'a'.repeat(40), serialNumber, thumbprint, keyThumbprint, notBefore, notAfter };
  const base64 = (der: Uint8Array) => Buffer.from(der).toString('base64');
  const chain = [base64(fleet.controlCa.certificate.der)];
  const items = [{ requestId, certificate: base64(certificate.der), chain, ref }];
  msg.respond(JSON.stringify({ ok: { items } }));
}

/** fleet-ca and provisioning as far as commands need them, on the real NATS with their own users' permissions. */
async function answerAsNeighbours(fleet: TestFleet, nats: TestNats): Promise<() => Promise<void>> {
  const ca = await nats.connectAs('fleet-ca');
  ca.subscribe(certificatesSign.subject, {
    callback: (_error, msg) => void answerSign(fleet, msg),
  });
  const provisioning = await nats.connectAs('provisioning');
  provisioning.subscribe(deviceGet.subject, {
    callback: (_error, msg) => {
      const { deviceId } = JSON.parse(msg.string());
      const grants = deviceId === 'device-nogrant' ? [] : ['command:receive', 'command:critical'];
      const device = {
        deviceId,
        state: 'active',
        grants,
        attestation: 'none',
        minEpoch: 0,
        version: 1,
        changedAt: new Date().toISOString(),
      };
      msg.respond(JSON.stringify({ ok: { device, certificates: [] } }));
    },
  });
  const token = await nats.connectAs('token');
  token.subscribe(operatorsGet.subject, {
    callback: (_error, msg) => {
      const { subjects } = JSON.parse(msg.string()) as { subjects: string[] };
      const operators = subjects.flatMap((subject) => {
        const identity = IDENTITIES[subject] ?? (subject.startsWith('op:solo-') ? `${subject}@fleet` : undefined);
        return identity ? [{ subject, identity, keyedBy: KEYED_BY[subject] ?? [] }] : [];
      });
      msg.respond(JSON.stringify({ ok: { operators } }));
    },
  });
  return async () => {
    await Promise.all([ca.close(), provisioning.close(), token.close()]);
  };
}

/** Everything that command stands on, and its configuration; no command yet. */
export async function startSurroundings() {
  const [fleet, database, nats] = await Promise.all([createTestFleet(), createTestDatabase('command'), startNats()]);
  const closeNeighbours = await answerAsNeighbours(fleet, nats);
  const gateway = await startPolicyOwner(nats, fleet);
  gateway.publish();
  /** Of one replica: its own ports. */
  const configOf = async () => {
    const { config, directory } = await testServiceConfig('command', { fleet, database, nats });
    const settings = {
      ...config,
      defaultExpirySeconds: 300,
      defaultTimeoutSeconds: 30,
      idempotencySeconds: 86_400,
      catalogue: { folder: fileURLToPath(new URL('../catalogue', import.meta.url)) },
      maxOpenPerDevice: 20_000,
      batches: { approvalAbove: 5, approvalWindowSeconds: 3600, maxDevices: 50 },
    };
    return { settings, directory };
  };
  const { settings } = await configOf();
  await migrate(
    Config.parse(settings),
    MIGRATIONS,
    createLogger('command', InstanceId.parse('command-00000000'), 'fatal'),
  );
  const stop = async () => {
    await closeNeighbours();
    await gateway.stop();
    await nats.stop();
    await database.drop();
  };
  return { fleet, database, nats, gateway, configOf, stop };
}
export type Surroundings = Awaited<ReturnType<typeof startSurroundings>>;

/** One instance of command, `n`th of its replicas. */
export async function startReplica(
  { configOf }: Pick<Surroundings, 'configOf'>,
  n = 1,
): Promise<NestFastifyApplication> {
  const config = Config.parse((await configOf()).settings);
  const instance = InstanceId.parse(`command-0000000${n}`);
  const app: NestFastifyApplication = await createApplication(
    { module: CommandModule, entities: [CommandRow] },
    { service: 'command', instance, config, logger: createLogger('command', instance, config.logLevel) },
  );
  await until(() => canSign(app) && app.get(Policies).version !== undefined, 20_000);
  return app;
}

export async function startSuite() {
  const surroundings = await startSurroundings();
  const { fleet, database, nats, gateway, configOf } = surroundings;
  const app = await startReplica(surroundings);
  const send = (
    deviceId: DeviceId,
    request: SendRequest,
    key: string = randomBytes(8).toString('hex'),
    by = 'op:1',
    scopes = RIGHTS,
    attributes = OPERATOR,
  ) => {
    const requester = {
      subject: by,
      attributes,
      scopes,
      evidence: { token: 'jti-1' },
      until: new Date(Date.now() + 900_000),
    };
    const fingerprint = requestFingerprint(deviceId, Buffer.from(JSON.stringify(request)));
    return app.get(SendService).send(deviceId, request, requester, { key, fingerprint });
  };
  const deliver = (deviceId: DeviceId, mayCritical = true) => app.get(DeliveryService).next(deviceId, mayCritical);
  const cancel = (id: string) => app.get(SendService).cancel(CommandId.parse(id), 'op:1', { token: 'jti-2' });
  const stateOf = async (id: string) => (await app.get(CommandReader).show(CommandId.parse(id))).state;
  const stop = async () => {
    await app.close();
    await surroundings.stop();
  };
  return { fleet, database, nats, configOf, app, gateway, send, cancel, deliver, stateOf, people: PEOPLE, stop };
}
export type Suite = Awaited<ReturnType<typeof startSuite>>;

function canSign(app: NestFastifyApplication): boolean {
  try {
    return app.get(CommandSigner).sign('{}', new Date()).length > 0;
  } catch {
    return false;
  }
}

export async function until(condition: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
