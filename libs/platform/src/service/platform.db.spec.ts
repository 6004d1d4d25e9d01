import https from 'node:https';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { type TestFleet } from '@outrider/testing';
import { Listeners } from '../http/listeners.service.js';
import { type PlatformGround, startPlatform } from './platform.fixture.js';

let ground: PlatformGround;
let fleet: TestFleet;
let app: NestFastifyApplication;
let httpUrl: string;
let operatorUrl: string;

beforeAll(async () => {
  ground = await startPlatform();
  ({ fleet, app, httpUrl, operatorUrl } = ground);
}, 60_000);

afterAll(() => ground?.stop());

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

  it('names a trace for what the router itself refuses', async () => {
    const response = await fetch(`${httpUrl}/%ff`);
    expect(response.status).toBe(400);
    expect(response.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
    expect(await response.json()).toMatchObject({ traceId: response.headers.get('x-trace-id') });
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
