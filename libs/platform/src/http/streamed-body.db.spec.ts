import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Module, Put, Req } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { InstanceId } from '@outrider/ids';
import {
  createTestDatabase,
  createTestFleet,
  startNats,
  type TestDatabase,
  type TestNats,
  testServiceConfig,
} from '@outrider/testing';
import type { FastifyRequest } from 'fastify';
import { AdmitAnyone } from '../admission/decorators.provider.js';
import { migrate } from '../postgres/index.js';
import { createApplication } from '../service/boot.provider.js';
import { serviceConfig } from '../service/config.js';
import { createLogger } from '../service/logger.provider.js';
import { Listeners, On, openBody, StreamedBody } from './index.js';

const MAX_BYTES = 4 * 1024 * 1024;
let seen = 0;
let failure: unknown;

@Injectable()
@Controller()
class StreamController {
  @Put('/stream')
  @On('http')
  @AdmitAnyone()
  @StreamedBody({ maxBytes: MAX_BYTES, idleMs: 500 })
  async stream(@Req() request: FastifyRequest): Promise<{ bytes: number }> {
    seen = 0;
    try {
      for await (const chunk of openBody(request)) {
        seen += chunk.length;
        if (request.headers['x-slow']) await sleep(Number(request.headers['x-slow']));
      }
    } catch (error) {
      failure = error;
      throw error;
    }
    return { bytes: seen };
  }
}

@Module({ controllers: [StreamController] })
class StreamModule {}

let database: TestDatabase;
let nats: TestNats;
let app: NestFastifyApplication;
let port: number;

beforeAll(async () => {
  const fleet = await createTestFleet();
  [database, nats] = await Promise.all([createTestDatabase('provisioning'), startNats()]);
  const config = serviceConfig({}).parse((await testServiceConfig('provisioning', { fleet, database, nats })).config);
  const instance = InstanceId.parse('provisioning-00000001');
  const logger = createLogger('provisioning', instance, config.logLevel);
  await migrate(config, [], logger);
  app = await createApplication(
    { module: StreamModule, entities: [] },
    { service: 'provisioning', instance, config, logger },
  );
  await app.get(Listeners).open();
  port = config.listeners.http.port;
}, 60_000);

afterAll(async () => {
  await app?.close();
  await nats?.stop();
  await database?.drop();
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly continued: boolean;
}

function put(send: (request: http.ClientRequest) => void, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let continued = false;
    const request = http.request({ port, host: '127.0.0.1', method: 'PUT', path: '/stream', agent: false, headers });
    request.on('continue', () => {
      continued = true;
    });
    request.on('response', async (response) => {
      let body = '';
      for await (const part of response) body += String(part);
      resolve({ status: response.statusCode ?? 0, body, continued });
    });
    request.once('error', reject);
    send(request);
  });
}

describe('a route that takes its body as a stream', () => {
  it('takes more than other routes do, at the pace of its handler', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'outrider-stream-')), 'body');
    writeFileSync(file, Buffer.alloc(3 * 1024 * 1024, 'x'));
    const sent = put((request) => createReadStream(file).pipe(request), { 'x-slow': '50' });
    await sleep(300);
    // What the handler has not taken is not read: the rest waits at the client.
    expect(seen).toBeLessThan(2 * 1024 * 1024);
    expect(await sent).toMatchObject({ status: 200, body: JSON.stringify({ bytes: 3 * 1024 * 1024 }) });
  });

  it('refuses what is too large before it is sent, and what turns out to be', async () => {
    const declared = { 'content-length': String(MAX_BYTES + 1), expect: '100-continue' };
    const refused = await put((request) => request.flushHeaders(), declared);
    expect(refused).toMatchObject({
      status: 413,
      continued: false,
      body: expect.stringContaining('request.too_large'),
    });
    const chunked = { 'transfer-encoding': 'chunked' };
    await put((request) => request.end(Buffer.alloc(MAX_BYTES + 1)), chunked).catch((error: Error) => error);
    expect(failure).toMatchObject({ code: 'request.too_large' });
    expect(seen).toBeLessThanOrEqual(MAX_BYTES);
  });

  it('tells a client that waits for it to go on, once it reads', async () => {
    const body = Buffer.alloc(2 * 1024 * 1024);
    const headers = { 'content-length': String(body.length), expect: '100-continue' };
    const answer = await put((request) => {
      request.on('continue', () => request.end(body));
      request.flushHeaders();
    }, headers);
    expect(answer).toMatchObject({ status: 200, continued: true });
  });

  it('gives up on a client that falls silent, but not on one that waits for us', async () => {
    const silent = await put((request) => request.write('x'.repeat(10)));
    expect(silent).toMatchObject({ status: 408, body: expect.stringContaining('request.timeout') });
    const slow = await put((request) => request.end('x'.repeat(10)), { 'x-slow': '1000' });
    expect(slow.status).toBe(200);
  });

  it('is told when the connection is cut', async () => {
    failure = undefined;
    const socket = connect(port, '127.0.0.1');
    socket.write('PUT /stream HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf');
    await sleep(100);
    socket.destroy();
    await sleep(100);
    expect(failure).toMatchObject({ code: 'request.malformed' });
  });
});
