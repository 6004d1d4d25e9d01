import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { certificatesSign, commandChanged, deviceGet, deviceRevoked } from '@outrider/contracts';
import { JWS_TYP, parseJws, sha256Base64url, signDer, signJws, verificationKey, verifyJws } from '@outrider/crypto';
import { CommandId, DeviceId, InstanceId } from '@outrider/ids';
import type { VehicleAdmission } from '@outrider/platform/admission';
import { Policies } from '@outrider/platform/policy';
import { Database, migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger } from '@outrider/platform/service';
import {
  createTestDatabase,
  createTestFleet,
  issueVehicle,
  type Party,
  startNats,
  startPolicyOwner,
  type TestDatabase,
  type TestFleet,
  type TestNats,
  type TestPolicyOwner,
  TRUST_DOMAIN,
  testServiceConfig,
} from '@outrider/testing';
import { issueCertificate, OID, parseCertificate, parseCertificationRequest, validateChain } from '@outrider/x509';
import { CommandRow } from './command/command.entity.js';
import { CommandModule } from './command.module.js';
import { Config } from './config.js';
import { DeliveryService } from './delivery/delivery.service.js';
import { Waiting } from './delivery/waiting.service.js';
import { Expiry } from './expiry/expiry.service.js';
import { Commands1763803000000 } from './migrations/1763803000000-commands.migration.js';
import { PolicyBasis1764510000000 } from './migrations/1764510000000-policy-basis.migration.js';
import { OutcomeService } from './outcome/outcome.service.js';
import { CommandReader } from './send/command-reader.service.js';
import { SendService } from './send/send.service.js';
import { requestFingerprint, type SendRequest } from './send/send-command.js';
import { CommandSigner } from './signing/signer.client.js';

let fleet: TestFleet;
let database: TestDatabase;
let nats: TestNats;
let app: NestFastifyApplication;
let gateway: TestPolicyOwner;
const stops: (() => Promise<void>)[] = [];

/** fleet-ca's answer, by the test fleet's control CA. */
async function answerSign(msg: { string(): string; respond(data: string): boolean }): Promise<void> {
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
async function answerAsNeighbours(): Promise<void> {
  const ca = await nats.connectAs('fleet-ca');
  ca.subscribe(certificatesSign.subject, {
    callback: (_error, msg) => void answerSign(msg),
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
  stops.push(
    () => ca.close(),
    () => provisioning.close(),
  );
}

beforeAll(async () => {
  [fleet, database, nats] = await Promise.all([createTestFleet(), createTestDatabase('command'), startNats()]);
  await answerAsNeighbours();
  gateway = await startPolicyOwner(nats, fleet);
  gateway.publish();
  stops.push(() => gateway.stop());
  const { config } = await testServiceConfig('command', { fleet, database, nats });
  const parsed = Config.parse({
    ...config,
    defaultExpirySeconds: 300,
    defaultTimeoutSeconds: 30,
    idempotencySeconds: 86_400,
  });
  const instance = InstanceId.parse('command-00000001');
  const logger = createLogger('command', instance, parsed.logLevel);
  await migrate(parsed, [Commands1763803000000, PolicyBasis1764510000000], logger);
  app = await createApplication(
    { module: CommandModule, entities: [CommandRow] },
    { service: 'command', instance, config: parsed, logger },
  );
  await until(() => canSign() && app.get(Policies).version !== undefined);
});

afterAll(async () => {
  await app?.close();
  for (const stop of stops) await stop();
  await nats?.stop();
  await database?.drop();
});

function canSign(): boolean {
  try {
    return app.get(CommandSigner).sign('{}', new Date()).length > 0;
  } catch {
    return false;
  }
}

const OPERATOR = { roles: ['fleet-operator'], secondFactor: false, elevated: false };
let next = 0;
const newDevice = () => DeviceId.parse(`device-${++next}`);
const send = (deviceId: DeviceId, request: SendRequest, key: string = randomBytes(8).toString('hex'), by = 'op:1') =>
  app
    .get(SendService)
    .send(
      deviceId,
      request,
      { subject: by, attributes: OPERATOR },
      key,
      requestFingerprint(deviceId, Buffer.from(JSON.stringify(request))),
    );
const deliver = (deviceId: DeviceId, mayCritical = true) => app.get(DeliveryService).next(deviceId, mayCritical);
const stateOf = async (id: string) => (await app.get(CommandReader).show(CommandId.parse(id))).state;

function admission(vehicle: Party, deviceId: DeviceId): VehicleAdmission {
  return {
    certificate: vehicle.certificate,
    deviceId,
    recovery: false,
    claims: { scope: 'command:receive command:critical' } as VehicleAdmission['claims'],
  };
}

function outcome(vehicle: Party, deviceId: DeviceId, id: string, jws: string, result = 'succeeded'): string {
  const payload = {
    command_id: id,
    device_id: deviceId,
    request_hash: sha256Base64url(jws),
    result,
    time: Math.floor(Date.now() / 1000),
  };
  return signJws({
    header: { typ: JWS_TYP.outcome, kid: vehicle.certificate.thumbprint },
    payload: JSON.stringify(payload),
    key: vehicle.privateKey,
  });
}

describe('sending', () => {
  it('makes one command of 100 parallel requests with one key, and refuses the key with another body', async () => {
    const device = newDevice();
    const commands = await Promise.all(Array.from({ length: 100 }, () => send(device, { name: 'honk' }, 'key-1')));
    expect(new Set(commands.map(({ id }) => id)).size).toBe(1);
    await expect(send(device, { name: 'locate' }, 'key-1')).rejects.toMatchObject({
      code: 'command.idempotency_mismatch',
      status: 422,
    });
    expect((await app.get(CommandReader).list(device, undefined, 50)).items).toHaveLength(1);
  });

  it.each([
    [{ name: 'fly' }, 'command.unknown_name'],
    [{ name: 'honk', parameters: { times: 99 } }, 'command.parameters_invalid'],
  ])('%j -> %s', async (request, code) => {
    await expect(send(newDevice(), request)).rejects.toMatchObject({ code });
  });

  it('refuses a device without the grant, and a refused request leaves its key free', async () => {
    const device = DeviceId.parse('device-nogrant');
    await expect(send(device, { name: 'honk' }, 'key-2')).rejects.toMatchObject({ code: 'command.device_unavailable' });
    const other = newDevice();
    expect((await send(other, { name: 'honk' }, 'key-2')).deviceId).toBe(other);
  });
});

describe('delivery', () => {
  it('releases a JWS chained to the fleet root, the same bytes each time, counters rising, in order', async () => {
    const device = newDevice();
    const vehicle = await issueVehicle(fleet, device, { keyType: 'Ed25519' });
    const first = await send(device, { name: 'honk', parameters: { times: 2 } });
    await send(device, { name: 'locate' });
    const offer = (await deliver(device)) as { id: string; jws: string };
    expect(offer).toEqual(await deliver(device));
    expect(offer.id).toBe(first.id);
    const parsed = parseJws(offer.jws, 65_536);
    const [leaf, ca] = (parsed.header.x5c as string[]).map((der) => parseCertificate(der));
    validateChain(leaf!, [ca!], [fleet.root.certificate], {
      now: new Date(),
      purpose: { eku: OID.outriderCommandSigning },
    });
    expect(
      verifyJws(parsed, verificationKey(leaf!.spkiDer), { typ: JWS_TYP.command, allowedHeaders: ['x5c'] }),
    ).toEqual({ ok: true });
    const payload = JSON.parse(Buffer.from(parsed.payload).toString());
    expect(payload).toMatchObject({
      command_id: first.id,
      device_id: device,
      counter: 1,
      epoch: 1,
      name: 'honk',
      parameters: { times: 2 },
    });
    const word = outcome(vehicle, device, offer.id, offer.jws);
    expect((await app.get(OutcomeService).take(first.id, word, admission(vehicle, device))).state).toBe('succeeded');
    expect((await app.get(OutcomeService).take(first.id, word, admission(vehicle, device))).state).toBe('succeeded');
    const second = (await deliver(device)) as { jws: string };
    expect(JSON.parse(Buffer.from(parseJws(second.jws, 65_536).payload).toString())).toMatchObject({
      counter: 2,
      name: 'locate',
    });
    const shown = await app.get(CommandReader).show(first.id);
    expect(shown.history.map(({ state }) => state)).toEqual(['queued', 'released', 'succeeded']);
    expect(shown.outcome).toMatchObject({ result: 'succeeded', jws: word });
  });

  it('releases a critical command once, against the first nonce, to its own vehicle only', async () => {
    const device = newDevice();
    const { id } = await send(device, { name: 'unlock' });
    expect(await deliver(device, false)).toBeUndefined();
    expect(await deliver(device)).toMatchObject({ id, critical: true });
    expect(await deliver(device)).not.toHaveProperty('jws');
    const delivery = app.get(DeliveryService);
    await expect(delivery.answerNonce(id, newDevice(), 'n'.repeat(22))).rejects.toMatchObject({
      code: 'command.not_found',
    });
    const nonces = ['a', 'b'].map((letter) => letter.repeat(22));
    const settled = await Promise.allSettled(
      [...nonces, ...nonces].map((nonce) => delivery.answerNonce(id, device, nonce)),
    );
    const released = settled.filter((r) => r.status === 'fulfilled').map((r) => r.value);
    expect(new Set(released).size).toBe(1);
    expect(released).toHaveLength(2);
    const refused = settled.flatMap((r) => (r.status === 'rejected' ? [(r.reason as { code: string }).code] : []));
    expect(refused).toEqual(['command.nonce_refused', 'command.nonce_refused']);
  });

  it('wakes the vehicle that waits on this instance', async () => {
    const device = newDevice();
    const woken = app.get(Waiting).forOffer(device, 20_000, new AbortController().signal);
    const started = performance.now();
    await send(device, { name: 'honk' });
    await woken;
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('policies', () => {
  const MOVING = { speedKmh: 42, telemetryAgeSeconds: 1 };
  const parked = { speedKmh: 0, telemetryAgeSeconds: 1 };
  const history = async (id: CommandId) => (await app.get(CommandReader).show(id)).history;
  /** Longer than an answer about a vehicle is kept. */
  const later = () => new Promise((resolve) => setTimeout(resolve, 1100));

  it('refuse to move anything on a vehicle that drives, and leave the key free', async () => {
    const device = newDevice();
    gateway.tell(device, MOVING);
    await expect(send(device, { name: 'unlock' }, 'moving')).rejects.toMatchObject({
      code: 'policy.denied',
      status: 403,
      detail: 'no-remote-control-while-moving',
    });
    const { id } = await send(device, { name: 'honk' }, 'moving');
    expect(await history(id)).toEqual([
      { state: 'queued', at: expect.any(String), policies: ['dispatch-by-operators'], policy_version: 1 },
    ]);
    const log = await nats.connectAs('provisioner');
    await until(async () => {
      const query = JSON.stringify({ last_by_subj: 'command.decision.made.v1' });
      const { message } = (await log.request('$JS.API.STREAM.MSG.GET.EVENTS', query)).json<{
        message?: { data: string };
      }>();
      const made = message && JSON.parse(Buffer.from(message.data, 'base64').toString());
      return made?.code === 'policy.denied' && made.deviceId === device && made.subject === 'op:1';
    });
    await log.close();
  });

  it('are asked again at the release: what was parked may drive by then', async () => {
    const device = newDevice();
    gateway.tell(device, parked);
    const { id } = await send(device, { name: 'unlock' });
    await send(device, { name: 'honk' });
    expect(await deliver(device)).toMatchObject({ id, critical: true });
    gateway.tell(device, MOVING);
    await later();
    await expect(app.get(DeliveryService).answerNonce(id, device, 'n'.repeat(22))).rejects.toMatchObject({
      code: 'command.state_conflict',
    });
    expect(await app.get(CommandReader).show(id)).toMatchObject({
      state: 'cancelled',
      reason: 'policy: no-remote-control-while-moving',
    });
    expect((await history(id)).at(-1)).toMatchObject({
      policies: ['no-remote-control-while-moving'],
      policy_version: 1,
    });
    expect(await deliver(device)).toMatchObject({ critical: false, jws: expect.any(String) });
  });

  it('cancel what is not critical as well, and the next in line goes out at once', async () => {
    const device = newDevice();
    const { id } = await send(device, { name: 'honk' });
    const next = await send(device, { name: 'locate' });
    const silence = `forbid (principal, action == Outrider::Action::"dispatch_command", resource) when { context.command.name == "honk" };`;
    gateway.publish({ silence });
    await until(() => app.get(Policies).version === 2);
    expect(await deliver(device)).toMatchObject({ id: next.id });
    expect((await history(id)).at(-1)).toMatchObject({ state: 'cancelled', policies: ['silence'], policy_version: 2 });
    gateway.publish();
    await until(() => app.get(Policies).version === 3);
  });

  it('while nobody can say what is known of the vehicle, nothing is sent and nothing released', async () => {
    const device = newDevice();
    const { id } = await send(device, { name: 'honk' });
    await later();
    gateway.away = true;
    await expect(send(device, { name: 'honk' })).rejects.toMatchObject({ code: 'service.upstream_unavailable' });
    await expect(deliver(device)).rejects.toMatchObject({ status: 503 });
    gateway.away = false;
    expect(await stateOf(id)).toBe('queued');
    expect(await deliver(device)).toMatchObject({ id });
  });
});

describe('time and revocation', () => {
  it('turns an unanswered release into unknown, and a late outcome resolves it and says so', async () => {
    const device = newDevice();
    const vehicle = await issueVehicle(fleet, device);
    const { id } = await send(device, { name: 'honk', timeout: 1 });
    const { jws } = (await deliver(device)) as { jws: string };
    await until(async () => (await stateOf(id)) === 'unknown', 6000);
    await app.get(OutcomeService).take(id, outcome(vehicle, device, id, jws), admission(vehicle, device));
    expect(await app.get(CommandReader).show(id)).toMatchObject({ state: 'succeeded', reason: 'late' });
  });

  it('expires what nobody fetched', async () => {
    const { id } = await send(newDevice(), { name: 'honk', expires_in: 1 });
    await app.get(Expiry).sweep(new Date(Date.now() + 2000));
    expect(await stateOf(id)).toBe('expired');
  });

  it('cancels what was not released when the device is revoked, and publishes each change', async () => {
    const device = newDevice();
    const { id } = await send(device, { name: 'honk' });
    const revocation = await nats.connectAs('revocation');
    const event = { deviceId: device, reason: 'keyCompromise', revokedAt: new Date().toISOString(), revokedBy: 'op:1' };
    revocation.publish(`${deviceRevoked.subject}.${device}`, JSON.stringify(event));
    await until(async () => (await stateOf(id)) === 'cancelled');
    await revocation.close();
    const client = await database.admin();
    await until(
      async () =>
        (await client.query('SELECT 1 FROM outbox WHERE subject LIKE $1', [`${commandChanged.subject}%`])).rowCount ===
        0,
    );
    await client.end();
  });

  it('keeps history and outcomes out of reach of the runtime role', async () => {
    const source = app.get(Database).dataSource;
    await expect(source.query('UPDATE command_history SET state = $1', ['succeeded'])).rejects.toMatchObject({
      code: '42501',
    });
    await expect(source.query('DELETE FROM outcomes')).rejects.toMatchObject({ code: '42501' });
  });
});

async function until(condition: () => boolean | Promise<boolean>, ms = 5000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
