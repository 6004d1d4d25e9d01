import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { canonicalize } from '@outrider/canonicalization';
import { sign } from '@outrider/crypto';
import { type Ground, prepareGround, type Service, startService, stored } from '../telemetry.fixture.js';

let ground: Ground;
let service: Service;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1);
}, 60_000);

afterAll(() => ground?.stop());

const now = () => Math.floor(Date.now() / 1000);

describe('one message', () => {
  it('is stored as it was sent and answered with its window', async () => {
    const car = await ground.vehicle('device-one');
    const sent = car.message(1234);
    const { status, body } = await car.post(service, sent);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        results: [{ seq: 1234, verdict: 'accepted' }],
        windows: [{ stream: 'main', epoch: 0, highest: 1234, missing: [[211, 1233]], minEpoch: 0 }],
        accepted: 1,
      },
    });
    expect(await stored(ground, car.deviceId)).toEqual([{ seq: 1234, payload: JSON.stringify(sent.payload) }]);
  });

  it('is accepted under an ECDSA P-256 key, as r||s and as DER, in hex and in base64url', async () => {
    const car = await ground.vehicle('device-p256', 'P-256');
    const { createSign } = await import('node:crypto');
    const der = (payload: object) => createSign('sha256').update(canonicalize(payload)).sign(car.party.privateKey);
    const raw = (payload: object) => sign(car.party.privateKey, Buffer.from(canonicalize(payload)));
    const forms = [
      [1, (p: object) => Buffer.from(raw(p)).toString('base64url')],
      [2, (p: object) => Buffer.from(raw(p)).toString('hex')],
      [3, (p: object) => der(p).toString('base64url')],
      [4, (p: object) => der(p).toString('hex')],
    ] as const;
    for (const [seq, signature] of forms) {
      const payload = car.payload(seq);
      expect(await car.post(service, { payload, signature: signature(payload) })).toMatchObject({ status: 200 });
    }
    expect(await stored(ground, car.deviceId)).toHaveLength(4);
  });
});

describe('attacks', () => {
  it('1: an exact message and an exact batch again are duplicates, stored once', async () => {
    const car = await ground.vehicle('device-replay');
    const single = car.message(1);
    const batch = [car.message(2), car.message(3), car.message(4)];
    await car.post(service, single);
    await car.post(service, batch);
    expect(await car.post(service, single)).toMatchObject({
      status: 200,
      body: { results: [{ seq: 1, verdict: 'duplicate' }], accepted: 0 },
    });
    const again = await car.post(service, batch);
    expect(again).toMatchObject({ status: 200, body: { accepted: 0 } });
    expect(again.body.results.map((r: { verdict: string }) => r.verdict)).toEqual([
      'duplicate',
      'duplicate',
      'duplicate',
    ]);
    expect(await stored(ground, car.deviceId)).toHaveLength(4);
  });

  it('1: the same record in another spelling and with the defaults spelled out is the same record', async () => {
    const car = await ground.vehicle('device-respelled');
    const payload = car.payload(9);
    await car.post(service, car.signed(payload));
    const spelled = car.signed({ telemetry: payload.telemetry, epoch: 0, stream: 'main', ...payload });
    expect((await car.post(service, spelled)).body.results).toEqual([{ seq: 9, verdict: 'duplicate' }]);
    expect(await stored(ground, car.deviceId)).toHaveLength(1);
  });

  it('1: a record below the window is known again while it was stored, and too_old otherwise', async () => {
    const car = await ground.vehicle('device-below');
    const first = car.message(1);
    await car.post(service, first);
    await car.post(service, car.message(5000));
    expect((await car.post(service, first)).body.results).toEqual([{ seq: 1, verdict: 'duplicate' }]);
    expect(await car.post(service, car.message(2))).toMatchObject({ status: 409, body: { code: 'telemetry.too_old' } });
  });

  it('2: the same number with other content, well signed, is replayed', async () => {
    const car = await ground.vehicle('device-reuse');
    await car.post(service, car.message(7));
    const other = await car.post(service, car.message(7, { telemetry: { speed: 1 } }));
    expect(other.headers['content-type']).toContain('application/problem+json');
    expect(other).toMatchObject({
      status: 409,
      body: {
        code: 'telemetry.replayed',
        results: [{ seq: 7, verdict: 'replayed', code: 'telemetry.replayed' }],
        windows: [{ highest: 7 }],
        accepted: 0,
      },
    });
    expect(await stored(ground, car.deviceId)).toHaveLength(1);
  });

  it('3: a far-future number with a bad signature does not move the window', async () => {
    const car = await ground.vehicle('device-future');
    await car.post(service, car.message(1));
    const forged = { ...car.message(900_000), signature: car.message(2).signature };
    expect(await car.post(service, forged)).toMatchObject({ status: 422, body: { code: 'telemetry.bad_signature' } });
    expect((await car.get(service, '/v1/telemetry/window')).body.windows).toMatchObject([{ highest: 1 }]);
  });

  it('4: a jump beyond the hard limit, well signed, is refused', async () => {
    const car = await ground.vehicle('device-jump');
    await car.post(service, car.message(1));
    expect(await car.post(service, car.message(1_000_002))).toMatchObject({
      status: 422,
      body: { code: 'telemetry.jump' },
    });
    expect((await car.post(service, car.message(1_000_001))).status).toBe(200);
  });

  it.each(['0', '-1', '1.5', '9007199254740992', '18446744073709551616', '"7"', 'null', '1e400', 'NaN'])(
    '5: seq %s is a shape error',
    async (seq) => {
      const car = await ground.vehicle(`device-seq-${seq.replace(/[^a-z0-9]/gi, 'x').toLowerCase()}-v`);
      const text = `{"device_id":"${car.deviceId}","seq":${seq},"telemetry":{},"ts":${now()}}`;
      const signature = Buffer.from(sign(car.party.privateKey, Buffer.from(text))).toString('hex');
      const answer = await car.post(service, `{"payload":${text},"signature":"${signature}"}`);
      expect(answer.status).toBe(400);
      expect(['telemetry.invalid', 'request.malformed']).toContain(answer.body.code);
      expect(await stored(ground, car.deviceId)).toEqual([]);
    },
  );

  it('6: a timestamp five minutes off, either way, is skewed', async () => {
    const car = await ground.vehicle('device-skew');
    for (const [seq, off] of [
      [1, -300],
      [2, 300],
    ] as const) {
      expect(await car.post(service, car.message(seq, { ts: now() + off }))).toMatchObject({
        status: 422,
        body: { code: 'telemetry.skewed' },
      });
    }
    expect((await car.post(service, car.message(3, { ts: now() - 100 }))).status).toBe(200);
  });

  it("8: another vehicle's id in the body is refused before its signature is looked at", async () => {
    const car = await ground.vehicle('device-eight');
    const victim = await ground.vehicle('device-victim');
    expect(await car.post(service, victim.message(1))).toMatchObject({
      status: 403,
      body: { code: 'telemetry.wrong_device', results: [{ seq: 1, verdict: 'wrong_device' }] },
    });
    expect(await stored(ground, victim.deviceId)).toEqual([]);
  });

  it('23: oversize, deep, doubled and malformed bodies are refused early', async () => {
    const car = await ground.vehicle('device-bodies');
    const cases: [string, number, string][] = [
      [`"${'x'.repeat(1_048_576)}"`, 413, 'request.too_large'],
      ['['.repeat(100_000), 400, 'request.malformed'],
      ['{"payload":{},"payload":{}}', 400, 'request.malformed'],
      ['{"payload":{"device_id":"\\ud800"},"signature":""}', 400, 'request.malformed'],
      ['{"payload":{"seq":NaN},"signature":""}', 400, 'request.malformed'],
      [`{"payload":{"seq":${'1'.repeat(1_000_000)}},"signature":""}`, 400, 'request.malformed'],
      [JSON.stringify(Array(1001).fill({})), 413, 'request.too_large'],
      ['[]', 400, 'request.invalid'],
      ['', 400, 'request.malformed'],
      [JSON.stringify({ ...car.message(1), extra: true }), 400, 'telemetry.invalid'],
      [JSON.stringify(car.message(1, { extra: true })), 400, 'telemetry.invalid'],
      [JSON.stringify(car.message(1, { telemetry: { pad: 'x'.repeat(262_144) } })), 400, 'telemetry.invalid'],
    ];
    for (const [body, status, code] of cases)
      expect(await car.post(service, body)).toMatchObject({ status, body: { code } });
    expect(await car.post(service, '{}', 'text/plain')).toMatchObject({ status: 415 });
    expect(await stored(ground, car.deviceId)).toEqual([]);
  });
});

describe('several messages', () => {
  it('get a result each, whatever their neighbours are', async () => {
    const car = await ground.vehicle('device-several');
    const victim = await ground.vehicle('device-neighbour');
    const bad = { ...car.message(3), signature: 'ab'.repeat(64) };
    const answer = await car.post(service, [
      car.message(1),
      car.message(1),
      bad,
      victim.message(4),
      { nonsense: true },
      car.message(5, { ts: 1 }),
      car.message(6),
    ]);
    expect(answer.status).toBe(200);
    expect(answer.body.results).toEqual([
      { seq: 1, verdict: 'accepted' },
      { seq: 1, verdict: 'duplicate' },
      { seq: 3, verdict: 'bad_signature', code: 'telemetry.bad_signature' },
      { seq: 4, verdict: 'wrong_device', code: 'telemetry.wrong_device' },
      { seq: null, verdict: 'invalid', code: 'telemetry.invalid' },
      { seq: 5, verdict: 'skewed', code: 'telemetry.skewed' },
      { seq: 6, verdict: 'accepted' },
    ]);
    expect(answer.body).toMatchObject({ accepted: 2, windows: [{ highest: 6, missing: [[2, 5]] }] });
  });

  it('come as NDJSON too, where a broken line stands alone', async () => {
    const car = await ground.vehicle('device-lines');
    const body = `${JSON.stringify(car.message(1))}\n{"broken\r\n\n${JSON.stringify(car.message(2))}\r\n`;
    const answer = await car.post(service, body, 'application/x-ndjson');
    expect(answer).toMatchObject({
      status: 200,
      body: {
        results: [
          { seq: 1, verdict: 'accepted' },
          { seq: null, verdict: 'invalid', code: 'request.malformed' },
          { seq: 2, verdict: 'accepted' },
        ],
      },
    });
  });

  it('number a thousand in one body', async () => {
    const car = await ground.vehicle('device-thousand');
    const answer = await car.post(
      service,
      Array.from({ length: 1000 }, (_, index) => car.message(index + 1)),
    );
    expect(answer.body).toMatchObject({ accepted: 1000, windows: [{ highest: 1000, missing: [] }] });
    expect(await stored(ground, car.deviceId)).toHaveLength(1000);
  });
});

describe('streams and epochs', () => {
  it('each stream has a window of its own, eight at most', async () => {
    const car = await ground.vehicle('device-streams');
    const all = Array.from({ length: 9 }, (_, index) => car.message(1, { stream: `s${index}` }));
    const answer = await car.post(service, all);
    expect(answer.body.accepted).toBe(8);
    expect(answer.body.results[8]).toEqual({ seq: 1, verdict: 'too_many_streams', code: 'telemetry.too_many_streams' });
    expect((await car.get(service, '/v1/telemetry/window?stream=s3')).body.windows).toMatchObject([
      { stream: 's3', highest: 1 },
    ]);
  });

  it('the epoch goes up by one, once an hour; the one before is over', async () => {
    const car = await ground.vehicle('device-epochs');
    await car.post(service, car.message(50));
    expect(await car.post(service, car.message(1, { epoch: 2 }))).toMatchObject({
      body: { code: 'telemetry.epoch_refused' },
    });
    expect(await car.post(service, car.message(1, { epoch: 1 }))).toMatchObject({
      status: 200,
      body: { windows: [{ epoch: 1, highest: 1 }] },
    });
    expect(await car.post(service, car.message(51))).toMatchObject({
      status: 409,
      body: { code: 'telemetry.stale_epoch' },
    });
    expect(await car.post(service, car.message(1, { epoch: 2 }))).toMatchObject({
      body: { code: 'telemetry.epoch_refused' },
    });
  });

  it('an epoch ordered by the platform is told, and the earlier one is over', async () => {
    const car = await ground.vehicle('device-ordered');
    await car.post(service, car.message(1));
    const admin = await ground.database.admin();
    await admin.query('UPDATE devices SET min_epoch = 5 WHERE device_id = $1', [car.deviceId]);
    await admin.end();
    expect((await car.get(service, '/v1/telemetry/window')).body.windows).toEqual([
      { stream: 'main', epoch: 5, highest: 0, missing: [], minEpoch: 5 },
    ]);
    expect(await car.post(service, car.message(2))).toMatchObject({
      status: 409,
      body: { code: 'telemetry.stale_epoch' },
    });
    expect(await car.post(service, car.message(1, { epoch: 5 }))).toMatchObject({ status: 200 });
  });

  it('a device that never sent anything is told so', async () => {
    const car = await ground.vehicle('device-fresh');
    expect((await car.get(service, '/v1/telemetry/window')).body).toEqual({
      windows: [{ stream: 'main', epoch: 0, highest: 0, missing: [], minEpoch: 0 }],
    });
  });
});
