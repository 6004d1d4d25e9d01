import https from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Ground,
  type HttpAnswer,
  httpsRequest,
  prepareGround,
  type Service,
  startService,
  until,
} from '../telemetry.fixture.js';

let ground: Ground;
let service: Service;
let agent: https.Agent;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1);
  agent = new https.Agent({ keepAlive: true, ca: ground.fleet.root.certificatePem });
}, 60_000);

afterAll(async () => {
  agent?.destroy();
  await ground?.stop();
});

function read(path: string, token = ground.authority.operatorToken('device:read')): Promise<HttpAnswer> {
  return httpsRequest(service.operatorUrl + path, { agent, headers: { authorization: `Bearer ${token}` } });
}

/** Follows the cursors until a page is empty. */
async function readAll(path: string, limit: number): Promise<{ device_id: string; seq: number }[]> {
  const items = [];
  for (let after = ''; ; ) {
    const { status, body } = await read(`${path}?limit=${limit}${after && `&after=${after}`}`);
    expect(status).toBe(200);
    if (body.items.length === 0) return items;
    items.push(...body.items);
    after = body.next;
  }
}

describe("a device's messages", () => {
  it('are read as they were received, with what proves them', async () => {
    const car = await ground.vehicle('device-read');
    const sent = car.message(5, { stream: 'can' });
    await car.post(service, sent);
    await until(async () => (await read('/v1/devices/device-read/telemetry')).body.items.length === 1);
    const { body } = await read('/v1/devices/device-read/telemetry');
    expect(body.items[0]).toEqual({
      device_id: 'device-read',
      stream: 'can',
      epoch: 0,
      seq: 5,
      ts: sent.payload.ts,
      received_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      payload: JSON.stringify(sent.payload),
      signature: sent.signature,
      thumbprint: car.party.certificate.thumbprint,
      canonical_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      latency_ms: expect.any(Number),
      format: 'json',
      algorithm: 'EdDSA',
      token_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      batch: null,
      source: 'live',
      log: null,
      payload_encoding: 'text',
    });
  });

  it('come page by page, each once, in order of receipt', async () => {
    const car = await ground.vehicle('device-pages');
    for (let batch = 0; batch < 3; batch++) {
      await car.post(
        service,
        Array.from({ length: 7 }, (_, index) => car.message(batch * 7 + index + 1)),
      );
    }
    await until(async () => (await readAll('/v1/devices/device-pages/telemetry', 500)).length === 21);
    for (const limit of [1, 4, 7, 100]) {
      const items = await readAll('/v1/devices/device-pages/telemetry', limit);
      expect(items.map(({ seq }) => seq)).toEqual(Array.from({ length: 21 }, (_, index) => index + 1));
    }
  });

  it('the latest ones come in order of receipt, with a cursor that goes on from there', async () => {
    const car = await ground.vehicle('device-latest');
    for (let seq = 1; seq <= 5; seq++) await car.post(service, car.message(seq));
    const path = '/v1/devices/device-latest/telemetry';
    await until(async () => (await read(path)).body.items.length === 5);
    const { body } = await read(`${path}?latest=2`);
    expect(body.items.map(({ seq }: { seq: number }) => seq)).toEqual([4, 5]);
    await car.post(service, car.message(6));
    await until(async () => (await read(`${path}?after=${body.next}`)).body.items.length === 1);
    expect((await read(`${path}?latest=2&limit=1`)).status).toBe(400);
    expect((await read(`${path}?latest=0`)).status).toBe(400);
  });

  it('an empty page has no cursor and so ends a listing; the last one leads to what comes later', async () => {
    const car = await ground.vehicle('device-tail');
    expect((await read('/v1/devices/device-tail/telemetry')).body).toEqual({ items: [], next: null });
    await car.post(service, car.message(1));
    await until(async () => (await read('/v1/devices/device-tail/telemetry')).body.items.length === 1);
    const { next } = (await read('/v1/devices/device-tail/telemetry')).body;
    expect((await read(`/v1/devices/device-tail/telemetry?after=${next}`)).body).toEqual({ items: [], next: null });
    await car.post(service, car.message(2));
    await until(async () => (await read(`/v1/devices/device-tail/telemetry?after=${next}`)).body.items.length === 1);
  });
});

describe('following all devices under load', () => {
  it('misses nothing and doubles nothing, whatever commits last', async () => {
    const cars = await Promise.all(['a', 'b', 'c'].map((letter) => ground.vehicle(`device-follow-${letter}`)));
    const sending = Promise.all(
      cars.map(async (car) => {
        for (let seq = 1; seq <= 60; seq++) await car.post(service, car.message(seq));
      }),
    );
    const seen = new Map<string, number>();
    let after = '';
    const follow = async () => {
      const { body } = await read(`/v1/telemetry?limit=50${after && `&after=${after}`}`);
      for (const { device_id, seq } of body.items)
        seen.set(`${device_id} ${seq}`, (seen.get(`${device_id} ${seq}`) ?? 0) + 1);
      after = body.next ?? after;
    };
    let done = false;
    void sending.then(() => {
      done = true;
    });
    while (!done) await follow();
    const ours = () => [...seen.keys()].filter((key) => key.startsWith('device-follow-')).length;
    await until(async () => {
      await follow();
      return ours() === 180;
    });
    expect([...seen.values()].every((times) => times === 1)).toBe(true);
  });
});

describe('who may read', () => {
  it('is an operator with device:read', async () => {
    const car = await ground.vehicle('device-curious');
    expect((await read('/v1/telemetry', car.token())).status).toBe(401);
    expect((await read('/v1/telemetry', ground.authority.operatorToken('command:send'))).status).toBe(403);
    expect((await httpsRequest(`${service.operatorUrl}/v1/telemetry`, { agent })).status).toBe(401);
  });

  it('and gets a coded refusal for a request that makes no sense', async () => {
    for (const path of [
      '/v1/telemetry?limit=0',
      '/v1/telemetry?limit=501',
      '/v1/telemetry?after=!',
      '/v1/telemetry?unknown=1',
      '/v1/devices/NO/telemetry',
    ]) {
      expect(await read(path)).toMatchObject({ status: 400, body: { code: 'request.invalid' } });
    }
  });
});
