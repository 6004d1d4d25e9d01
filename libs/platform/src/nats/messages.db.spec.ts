import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { deviceChanged, deviceGet, jwksChanged } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { DeviceId } from '@outrider/ids';
import { type TestDatabase, type TestNats, until } from '@outrider/testing';
import { Database, Outbox } from '../postgres/index.js';
import { createLogger } from '../service/logger.provider.js';
import { Metrics } from '../service/metrics.service.js';
import { type PlatformGround, startPlatform } from '../service/platform.fixture.js';
import { Nats, Subscriptions } from './index.js';

const DEVICE = DeviceId.parse('device-12345');
const snapshot = {
  deviceId: DEVICE,
  state: 'active' as const,
  grants: [],
  attestation: 'none' as const,
  minEpoch: 0,
  version: 1,
  changedAt: new Date(0).toISOString(),
};

let ground: PlatformGround;
let database: TestDatabase;
let nats: TestNats;
let app: NestFastifyApplication;
let httpUrl: string;

beforeAll(async () => {
  ground = await startPlatform();
  ({ database, nats, app, httpUrl } = ground);
}, 60_000);

afterAll(() => ground?.stop());

describe('messages', () => {
  it('carries a request, its answer and its coded refusal', async () => {
    app.get(Subscriptions).answer(deviceGet, async ({ deviceId }) => {
      if (deviceId !== DEVICE) throw new DomainError('provisioning.device_not_found');
      return { device: snapshot, certificates: [] };
    });
    const caller = new Nats(
      await nats.connectAs('token'),
      { instance: 'token-00000001' } as never,
      createLogger('token', 'token-00000001' as never, 'fatal'),
    );
    expect((await caller.request(deviceGet, { deviceId: DEVICE })).device.state).toBe('active');
    await expect(caller.request(deviceGet, { deviceId: 'device-other' })).rejects.toMatchObject({
      code: 'provisioning.device_not_found',
    });
    await caller.connection.close();
  });

  it('publishes the outbox after the commit, hears it once, and sets a malformed message aside', async () => {
    const heard: string[] = [];
    const token = await nats.connectAs('token');
    const metrics = new Metrics();
    const service = new Subscriptions(
      new Nats(
        token,
        { instance: 'token-00000001' } as never,
        createLogger('token', 'token-00000001' as never, 'fatal'),
      ),
      app.get(Database),
      { service: 'token' } as never,
      createLogger('token', 'token-00000001' as never, 'fatal'),
      metrics,
    );
    service.consume(deviceChanged, async (device, meta) => void heard.push(`${device.deviceId} ${meta.routing}`));
    await app.get(Nats).publishKept(`${deviceChanged.subject}.device-12345`, 'not json');
    await app.get(Database).transaction((tx) => app.get(Outbox).add(tx, deviceChanged, snapshot, DEVICE));
    await expect(
      app.get(Database).transaction(async (tx) => {
        await app.get(Outbox).add(tx, deviceChanged, { ...snapshot, version: 2 }, DEVICE);
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    await until(() => heard.length > 0);
    expect(heard).toEqual(['device-12345 device-12345']);
    const exposed = await metrics.registry.metrics();
    expect(exposed).toContain('outrider_nats_malformed_total{subject="provisioning.device.changed.v1"} 1');
    expect(exposed).toMatch(
      /outrider_nats_event_duration_seconds_count\{subject="provisioning.device.changed.v1",result="handled"\} 1/,
    );
    const client = await database.admin();
    expect((await client.query('SELECT error FROM set_aside_messages')).rows).toHaveLength(1);
    expect((await client.query('SELECT * FROM outbox')).rowCount).toBe(0);
    await client.end();
    await service.drain();
    await token.close();
  });

  it('takes no message of another subject, though the server delivers it to one that it hears', async () => {
    const heard: number[] = [];
    app.get(Subscriptions).hear(jwksChanged, ({ keys }) => void heard.push(keys.length));
    await app.get(Nats).connection.flush();
    const jwk = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) };
    const keys = [{ ...jwk, kid: 'k', use: 'sig', alg: 'ES256' }];
    const [provisioner, gateway, token] = await Promise.all(
      ['provisioner', 'gateway', 'token'].map((user) => nats.connectAs(user)),
    );
    const consumer = { filter_subject: 'gateway.decision.made.v1', ack_policy: 'none', deliver_policy: 'new' };
    const config = { ...consumer, name: 'deputy', deliver_subject: jwksChanged.subject, mem_storage: true };
    const created = await provisioner!.request(
      '$JS.API.CONSUMER.CREATE.EVENTS.deputy.gateway.decision.made.v1',
      JSON.stringify({ stream_name: 'EVENTS', config }),
    );
    expect(created.json()).not.toHaveProperty('error');
    await gateway!.request('gateway.decision.made.v1', JSON.stringify({ keys: [...keys, ...keys] }));
    token!.publish(jwksChanged.subject, JSON.stringify({ keys }));
    await until(() => heard.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(heard).toEqual([1]);
    await Promise.all([provisioner, gateway, token].map((connection) => connection!.close()));
  });

  it('sets an event aside whose content PostgreSQL cannot hold, and goes on with the next', async () => {
    const heard: string[] = [];
    const [token, logger] = [await nats.connectAs('token'), createLogger('token', 'token-00000001' as never, 'fatal')];
    const runtime = { service: 'token', instance: 'token-00000001' } as never;
    const metrics = new Metrics();
    const service = new Subscriptions(new Nats(token, runtime, logger), app.get(Database), runtime, logger, metrics);
    const count = async () => (await app.get(Database).query('SELECT 1 FROM set_aside_messages')).length;
    const before = await count();
    service.consume(deviceChanged, async ({ version }) => {
      if (version === 7) await app.get(Database).query('SELECT $1::text', ['a\0b']);
      heard.push(`version ${version}`);
    });
    for (const version of [7, 8])
      await app.get(Nats).publishKept(`${deviceChanged.subject}.${DEVICE}`, JSON.stringify({ ...snapshot, version }));
    await until(() => heard.includes('version 8'));
    expect(await count()).toBe(before + 1);
    expect(heard).not.toContain('version 7');
    await service.drain();
    await token.close();
  });

  it('keeps what is committed while NATS is away, and publishes it when it is back', async () => {
    await nats.kill();
    await app
      .get(Database)
      .transaction((tx) => app.get(Outbox).add(tx, deviceChanged, { ...snapshot, version: 3 }, DEVICE));
    const report = await (await fetch(`${httpUrl}/readyz`)).status;
    expect([200, 503]).toContain(report);
    await nats.restart();
    const client = await database.admin();
    await until(async () => (await client.query('SELECT 1 FROM outbox')).rowCount === 0, 15_000);
    await client.end();
  });
});
