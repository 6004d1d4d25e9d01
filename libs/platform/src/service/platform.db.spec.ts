import { generateKeyPairSync } from 'node:crypto';
import https from 'node:https';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { deviceChanged, deviceGet, jwksChanged } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { DeviceId, InstanceId } from '@outrider/ids';
import {
  createTestDatabase,
  createTestFleet,
  startNats,
  type TestDatabase,
  type TestFleet,
  type TestNats,
  testServiceConfig,
} from '@outrider/testing';
import { z } from 'zod';
import { AdmitAnyone } from '../admission/decorators.provider.js';
import { JsonBody, On } from '../http/index.js';
import { Listeners } from '../http/listeners.service.js';
import { Nats, Subscriptions } from '../nats/index.js';
import { Database, migrate, Outbox } from '../postgres/index.js';
import { createApplication } from './boot.provider.js';
import { serviceConfig } from './config.js';
import { createLogger } from './logger.provider.js';

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

@Injectable()
@Controller()
class ProbeController {
  @Post('/probe')
  @On('http')
  @AdmitAnyone()
  echo(@JsonBody(z.strictObject({ n: z.int() })) body: { n: number }): { n: number } {
    return body;
  }

  @Get('/operator-only')
  @On('operator')
  @AdmitAnyone()
  operator(): string {
    return 'operator';
  }

  @Get('/bug')
  @On('http')
  @AdmitAnyone()
  bug(): never {
    throw new Error('secret detail');
  }
}

@Module({ controllers: [ProbeController] })
class ProbeModule {}

let fleet: TestFleet;
let database: TestDatabase;
let nats: TestNats;
let app: NestFastifyApplication;
let httpUrl: string;
let operatorUrl: string;
let secrets: { error: string }[] = [];

beforeAll(async () => {
  [fleet, database, nats] = await Promise.all([createTestFleet(), createTestDatabase('provisioning'), startNats()]);
  const { config } = await testServiceConfig('provisioning', { fleet, database, nats });
  const parsed = serviceConfig({}).parse(config);
  const instance = InstanceId.parse('provisioning-00000001');
  const logger = createLogger('provisioning', instance, parsed.logLevel);
  await migrate(parsed, [], logger);
  app = await createApplication(
    { module: ProbeModule, entities: [] },
    { service: 'provisioning', instance, config: parsed, logger },
  );
  await app.get(Listeners).open();
  httpUrl = `http://127.0.0.1:${parsed.listeners.http.port}`;
  operatorUrl = `https://127.0.0.1:${parsed.listeners.operator!.port}`;
});

afterAll(async () => {
  await app?.close();
  await nats?.stop();
  await database?.drop();
});

function operatorGet(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    https
      .get(`${operatorUrl}${path}`, { ca: fleet.root.certificatePem, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
      .on('error', reject);
  });
}

const post = (body: string | Buffer<ArrayBuffer>, type = 'application/json') =>
  fetch(`${httpUrl}/probe`, { method: 'POST', body, headers: { 'content-type': type } });

describe('routes belong to one listener', () => {
  it('serves a route on its own listener and 404 elsewhere', async () => {
    expect(await operatorGet('/operator-only')).toBe(200);
    const elsewhere = await fetch(`${httpUrl}/operator-only`);
    expect(elsewhere.status).toBe(404);
    expect(await elsewhere.json()).toMatchObject({ code: 'request.not_found', status: 404 });
    expect(await operatorGet('/livez')).toBe(404);
  });
});

describe('bad input is a coded problem document', () => {
  it.each([
    ['cut short', '{"n":1', 400, 'request.malformed'],
    ['wrong type', '{"n":"x"}', 400, 'request.invalid'],
    ['unknown field', '{"n":1,"extra":2}', 400, 'request.invalid'],
    ['a member twice', '{"n":1,"n":2}', 400, 'request.malformed'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 400, 'request.malformed'],
    ['nothing', '', 400, 'request.malformed'],
    ['too deep', '['.repeat(100_000), 400, 'request.malformed'],
    ['over 1 MiB', `{"n":${'1'.repeat(1_048_577)}}`, 413, 'request.too_large'],
  ])('%s', async (_name, body, status, code) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({ code, status });
  });

  it('refuses a body that says it is compressed', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const response = await fetch(`${httpUrl}/probe`, { method: 'POST', body: '{"n":1}', headers });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ code: 'request.unsupported_media_type' });
  });

  it('refuses a content type it does not take, and a wrong method with Allow', async () => {
    expect(await (await post('{"n":1}', 'text/plain')).json()).toMatchObject({
      code: 'request.unsupported_media_type',
    });
    const wrong = await fetch(`${httpUrl}/probe`, { method: 'DELETE' });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('POST');
    expect(await wrong.json()).toMatchObject({ code: 'request.method_not_allowed' });
  });

  it('answers a 10 GB content-length at once', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(httpUrl).port), '127.0.0.1', () =>
        socket.write(
          'POST /probe HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n{',
        ),
      );
      socket.once('data', (data) => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.once('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413/);
  });

  /** Everything the server says until it closes; `then` goes out after `100 Continue`. */
  const exchange = (sent: string, then = '') =>
    new Promise<string>((resolve, reject) => {
      let answer = '';
      const socket = connect(Number(new URL(httpUrl).port), '127.0.0.1', () => socket.write(sent));
      socket.on('data', (data) => {
        answer += data;
        if (answer === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write(then);
      });
      socket.once('close', () => resolve(answer)).once('error', reject);
    });

  it('refuses a body that is too large before it is sent, where the client asks', async () => {
    const answer = await exchange(
      'POST /probe HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413/);
    const small = await exchange(
      'POST /probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n',
      '{"n":7}',
    );
    expect(small).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201[\s\S]*\{"n":7\}$/);
  });

  it.each([
    ['no HTTP', '\u0000\u0001\r\n\r\n', 400, 'request.malformed'],
    [
      'two lengths',
      'POST /probe HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'request.malformed',
    ],
    ['a header too large', `GET /livez HTTP/1.1\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`, 431, 'request.too_large'],
    ['no HTTP after an answer', 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n\u0000\r\n\r\n', 400, 'request.malformed'],
  ])('%s: coded, though it never was a request', async (_name, sent, status, code) => {
    const answer = await exchange(sent);
    expect(answer).toMatch(new RegExp(`HTTP/1\\.1 ${status} [\\s\\S]*application/problem\\+json`));
    expect(JSON.parse(answer.slice(answer.lastIndexOf('\r\n\r\n')))).toMatchObject({ code, status });
  });

  it('says nothing of a bug but its trace', async () => {
    const response = await fetch(`${httpUrl}/bug`);
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).not.toContain('secret detail');
    expect(JSON.parse(text)).toMatchObject({ code: 'service.internal', traceId: response.headers.get('x-trace-id') });
  });

  it('continues the trace of the caller', async () => {
    const traceId = 'a'.repeat(32);
    const response = await fetch(`${httpUrl}/livez`, {
      headers: { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` },
    });
    expect(response.headers.get('x-trace-id')).toBe(traceId);
  });
});

it('outlives a connection that it fails to take', async () => {
  const { events } = app.get(Listeners);
  const fail = () => {
    throw new Error('a bug in what looks at connections');
  };
  events.once('connection', fail);
  const socket = connect(Number(new URL(httpUrl).port), '127.0.0.1');
  await new Promise((resolve) => socket.once('close', resolve).once('error', () => undefined));
  expect(events.listeners('connection')).not.toContain(fail);
  expect((await fetch(`${httpUrl}/livez`)).status).toBe(200);
});

describe('NATS', () => {
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
    const messages: string[] = [];
    const service = new Subscriptions(
      new Nats(
        token,
        { instance: 'token-00000001' } as never,
        createLogger('token', 'token-00000001' as never, 'fatal'),
      ),
      app.get(Database),
      { service: 'token' } as never,
      createLogger('token', 'token-00000001' as never, 'fatal'),
      { counter: () => ({ inc: () => messages.push('malformed') }) } as never,
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
    expect(messages).toEqual(['malformed']);
    const client = await database.admin();
    secrets = (await client.query('SELECT error FROM set_aside_messages')).rows;
    expect(secrets).toHaveLength(1);
    expect((await client.query('SELECT * FROM outbox')).rowCount).toBe(0);
    await client.end();
    await service.onApplicationShutdown();
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
    const metrics = { counter: () => ({ inc: () => undefined }) } as never;
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
    await service.onApplicationShutdown();
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

async function until(condition: () => boolean | Promise<boolean>, ms = 5000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
