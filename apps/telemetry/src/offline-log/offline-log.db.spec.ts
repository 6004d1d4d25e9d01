import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { encodeCbor } from '@outrider/canonicalization';
import { COSE_EXTERNAL_AAD, type CoseExternalAad, signCoseSign1 } from '@outrider/crypto';
import { type Service, stored, until } from '../telemetry.fixture.js';
import { LogGround, now, UPLOADS } from './log-ground.fixture.js';
import { headOnly, type SegmentBody, type TestLog } from './offline-log.fixture.js';

let ground: LogGround;

beforeAll(async () => {
  ground = await LogGround.start();
}, 120_000);

afterAll(() => ground?.stop());

describe('a log', () => {
  it('is taken in whole, beside the live messages, and the window does not move', async () => {
    const { vehicle, log } = await ground.car('log-whole');
    await vehicle.post(ground.service, vehicle.message(50, { ts: now() - 60 }));
    const before = await vehicle.get(ground.service, '/v1/telemetry/window?stream=main');
    const asked = await ground.order(vehicle, [[41, 60]]);
    const at = now() - 7200;
    log.fill(41, 9, at, 10, now() - 30);
    const live = (await stored(ground.ground, vehicle.deviceId)).find(({ seq }) => seq === 50)!;
    log.seal([JSON.parse(live.payload), ...[51, 52].map((seq) => log.payload(seq, at))], now() - 30);
    const { status, body } = await ground.upload(vehicle, asked, log.segments, log.delivery(asked));
    expect({ status, body }).toMatchObject({
      status: 200,
      body: {
        verdict: 'accepted',
        counts: { accepted: 11, duplicate: 1, replayed: 0, outside: 0, unanchored: 0 },
        results: [
          { from: 41, to: 49, verdict: 'accepted' },
          { from: 50, to: 50, verdict: 'duplicate' },
          { from: 51, to: 52, verdict: 'accepted' },
        ],
        absent: [[53, 60]],
        segments: [
          { segment: 1, signer: 'live', standing: 'trusted' },
          { segment: 2, signer: 'live', standing: 'trusted' },
        ],
      },
    });
    expect((await ground.logged(vehicle)).map(({ seq }) => seq)).toEqual([41, 42, 43, 44, 45, 46, 47, 48, 49, 51, 52]);
    expect((await vehicle.get(ground.service, '/v1/telemetry/window?stream=main')).body.windows).toEqual(
      before.body.windows,
    );
    const [end] = await ground.query<{ how: string }>('SELECT how FROM fetch_order_ends WHERE device_id = $1', [
      vehicle.deviceId,
    ]);
    expect(end).toEqual({ how: 'fulfilled' });
    const events = await ground.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM log_upload_parts WHERE device_id = $1`,
      [vehicle.deviceId],
    );
    expect(events).toEqual([{ n: 0 }]);
  });

  it('is answered the same when the answer was lost, and no other log under that order', async () => {
    const { vehicle, log } = await ground.car('log-again');
    const asked = await ground.order(vehicle, [[11, 14]]);
    log.fill(11, 4, now() - 7200, 10, now());
    const id = await ground.begin(vehicle, asked);
    await vehicle.ask(ground.service, 'PUT', `${UPLOADS}/${id}/segments/0`, log.segments[0]);
    const delivery = log.delivery(asked);
    const first = await vehicle.ask(ground.service, 'POST', `${UPLOADS}/${id}/finish`, delivery);
    const again = await vehicle.ask(ground.second, 'POST', `${UPLOADS}/${id}/finish`, delivery);
    expect([first.status, again.status, again.body]).toEqual([200, 200, first.body]);
    const other = { delivery: { ...delivery.delivery, last: 2 }, signature: delivery.signature };
    expect(await vehicle.ask(ground.service, 'POST', `${UPLOADS}/${id}/finish`, other)).toMatchObject({
      status: 409,
      body: { code: 'telemetry.order_used' },
    });
    expect(await vehicle.ask(ground.service, 'POST', UPLOADS, { order: asked.id })).toMatchObject({
      status: 409,
      body: { code: 'telemetry.order_used' },
    });
    expect(await ground.logged(vehicle)).toHaveLength(4);
  });

  it('goes on where an upload was interrupted, at whatever instance', async () => {
    const { vehicle, log } = await ground.car('log-resume');
    const asked = await ground.order(vehicle, [[11, 40]]);
    log.fill(11, 30, now() - 7200, 10, now());
    const id = await ground.begin(vehicle, asked);
    const put = (at: Service, part: number, segment: unknown) =>
      vehicle.ask(at, 'PUT', `${UPLOADS}/${id}/segments/${part}`, segment);
    expect((await put(ground.service, 1, log.segments[1])).body.code).toBe('telemetry.upload_conflict');
    expect((await put(ground.service, 0, log.segments[0])).body).toMatchObject({ received: 1 });
    expect((await put(ground.second, 0, log.segments[0])).body).toMatchObject({ received: 1 });
    expect((await put(ground.second, 0, log.segments[1])).body.code).toBe('telemetry.upload_conflict');
    expect((await vehicle.ask(ground.second, 'POST', UPLOADS, { order: asked.id })).body).toMatchObject({
      upload: id,
      received: 1,
    });
    const early = await vehicle.ask(ground.service, 'POST', `${UPLOADS}/${id}/finish`, log.delivery(asked));
    expect(early).toMatchObject({ status: 409, body: { code: 'telemetry.log_incomplete' } });
    await put(ground.second, 1, log.segments[1]);
    await put(ground.service, 2, log.segments[2]);
    expect((await vehicle.ask(ground.second, 'GET', `${UPLOADS}/${id}`)).body).toMatchObject({
      state: 'open',
      received: 3,
    });
    const both = await Promise.all(
      [ground.service, ground.second].map((at) =>
        vehicle.ask(at, 'POST', `${UPLOADS}/${id}/finish`, log.delivery(asked)),
      ),
    );
    // One of the two did it; the other found it done, or was too late for the upload it had begun with.
    expect(both.map(({ status }) => status).sort()[0]).toBe(200);
    expect(await ground.logged(vehicle)).toHaveLength(30);
  });

  it.each<
    [string, string, (log: TestLog) => { segments: SegmentBody[]; place?: object; delivery?: Record<string, unknown> }]
  >([
    [
      'a record cut out',
      'telemetry.log_gap',
      ({ segments: [a, b] }) => ({
        segments: [a!, { ...b!, records: b!.records!.filter((_, index) => index !== 1) }],
        place: { segment: 2, record: 1, seq: 15 },
      }),
    ],
    [
      'a record edited and a segment missing',
      'telemetry.log_edited',
      ({ segments: [a] }) => ({
        segments: [
          { ...a!, records: a!.records!.map((one, index) => (index === 2 ? { ...one, telemetry: {} } : one)) },
        ],
        place: { segment: 1, record: 2, absent: [[2, 2]] },
      }),
    ],
    [
      'a record edited',
      'telemetry.log_edited',
      ({ segments: [a, b] }) => ({
        segments: [
          { ...a!, records: a!.records!.map((one, index) => (index === 2 ? { ...one, telemetry: {} } : one)) },
          b!,
        ],
        place: { segment: 1, record: 2, seq: 13 },
      }),
    ],
    [
      'records reordered',
      'telemetry.log_reordered',
      ({ segments: [a, b] }) => ({
        segments: [a!, { ...b!, records: [...b!.records!].reverse() }],
        place: { segment: 2, record: 0, seq: 16 },
      }),
    ],
    [
      'segments reordered',
      'telemetry.log_reordered',
      ({ segments: [a, b] }) => ({ segments: [b!, a!], place: { segment: 1, record: null, seq: null } }),
    ],
    [
      'another nonce',
      'telemetry.log_wrong_nonce',
      ({ segments }) => ({ segments, delivery: { nonce: 'A'.repeat(43) } }),
    ],
    [
      'its records left out',
      'telemetry.log_gap',
      ({ segments: [a, b] }) => ({ segments: [a!, headOnly(b!)], place: { segment: 2, record: 0, seq: 14 } }),
    ],
  ])('with %s is refused by name, and nothing of it is stored', async (name, code, tamper) => {
    const { vehicle, log } = await ground.car(`log-${name.replaceAll(' ', '-')}`);
    const asked = await ground.order(vehicle, [[11, 16]]);
    log.fill(11, 6, now() - 7200, 3, now());
    const { segments, place = {}, delivery = {} } = tamper(log);
    const { status, body } = await ground.upload(vehicle, asked, segments, log.delivery(asked, delivery));
    expect({ status, body }).toMatchObject({ status: 422, body: { code, ...place } });
    expect(await ground.logged(vehicle)).toEqual([]);
    expect(await ground.segmentsOf(vehicle)).toEqual([]);
    await until(async () => (await ground.findingsOf(vehicle)).length > 0);
    expect(await ground.findingsOf(vehicle)).toEqual([
      { kind: 'log_refused', detail: expect.stringMatching(`^${code}: `) },
    ]);
    // The order waits for the true log.
    expect((await ground.upload(vehicle, asked, log.segments, log.delivery(asked))).body).toMatchObject({
      verdict: 'accepted',
    });
    expect(await ground.logged(vehicle)).toHaveLength(6);
  });

  it('is not asked for any more after five that were refused', async () => {
    const { vehicle, log } = await ground.car('log-given-up');
    const asked = await ground.order(vehicle, [[11, 12]]);
    log.fill(11, 2, now() - 7200, 10, now());
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const { body } = await ground.upload(
        vehicle,
        asked,
        log.segments,
        log.delivery(asked, { nonce: 'A'.repeat(43) }),
      );
      expect(body.code).toBe('telemetry.log_wrong_nonce');
    }
    expect((await vehicle.ask(ground.service, 'POST', UPLOADS, { order: asked.id })).body.code).toBe(
      'telemetry.order_used',
    );
  });

  it('comes too late for an order that has expired', async () => {
    const { vehicle, log } = await ground.car('log-expired');
    log.fill(11, 2, now() - 7200, 10, now());
    const id = '7f1c2c3e-5a0f-4d5c-9a3e-2f6f3a1b4c5d';
    await ground.query(
      `INSERT INTO fetch_orders (device_id, order_id, nonce, stream, epoch, ranges, reason, issued_by, issued_at, expires_at)
       VALUES ($1, $2, 'n', 'main', 0, '[[11,12]]', 'x', 'platform', now() - interval '73 hours', now() - interval '1 hour')`,
      [vehicle.deviceId, id],
    );
    expect(await vehicle.ask(ground.service, 'POST', UPLOADS, { order: id })).toMatchObject({
      status: 410,
      body: { code: 'telemetry.order_expired' },
    });
  });

  it("cannot answer another vehicle's order, nor be seen by it", async () => {
    const [{ vehicle, log }, { vehicle: thief }] = [await ground.car('log-mine'), await ground.car('log-thief')];
    const asked = await ground.order(vehicle, [[11, 12]]);
    log.fill(11, 2, now() - 7200, 10, now());
    const id = await ground.begin(vehicle, asked);
    expect((await thief.ask(ground.service, 'POST', UPLOADS, { order: asked.id })).body.code).toBe(
      'telemetry.order_not_found',
    );
    expect((await thief.ask(ground.service, 'GET', `${UPLOADS}/${id}`)).status).toBe(404);
    expect((await thief.ask(ground.service, 'PUT', `${UPLOADS}/${id}/segments/0`, log.segments[0])).status).toBe(404);
    expect((await vehicle.ask(ground.service, 'POST', UPLOADS, { order: asked.id }, 'telemetry:write')).status).toBe(
      403,
    );
  });

  it('brings nothing that the live window may still take, and the live path knows what it brought', async () => {
    const { vehicle, log } = await ground.car('log-and-live', 20);
    const asked = await ground.order(vehicle, [[18, 22]]);
    log.seal(
      [18, 19].map((seq) => log.payload(seq, now() - 60)),
      now(),
    );
    log.seal([vehicle.payload(20), log.payload(21, now() - 60), log.payload(22, now() - 60)], now());
    const { body } = await ground.upload(vehicle, asked, log.segments, log.delivery(asked));
    // 20 is stored with other content: a finding, and no reason against the rest.
    expect(body.counts).toMatchObject({ accepted: 2, outside: 2 });
    const again = log.segments[0]!.records!.map((payload) => vehicle.signed(payload));
    expect((await vehicle.post(ground.service, again)).body.results).toEqual([
      { seq: 18, verdict: 'duplicate' },
      { seq: 19, verdict: 'duplicate' },
    ]);
    const other = await vehicle.post(ground.service, vehicle.message(19, { telemetry: { another: true } }));
    expect(other.body.code).toBe('telemetry.replayed');
    const twice = vehicle.message(18, { telemetry: { another: true } });
    expect((await vehicle.post(ground.service, [twice, twice])).body.results).toMatchObject([
      { verdict: 'replayed' },
      { verdict: 'replayed' },
    ]);
    expect(await stored(ground.ground, vehicle.deviceId)).toHaveLength(1);
  });

  it('comes as COSE too, each head a COSE_Sign1, and the chain is the same', async () => {
    const { vehicle, log } = await ground.car('log-cose');
    const asked = await ground.order(vehicle, [[11, 16]]);
    log.fill(11, 6, now() - 7200, 3, now());
    const kid = Buffer.from(vehicle.party.certificate.thumbprint, 'base64url');
    const id = await ground.begin(vehicle, asked);
    const put = (part: number, bytes: Uint8Array) =>
      vehicle.put(ground.service, `${UPLOADS}/${id}/segments/${part}`, bytes, 'application/cbor-seq');
    const cose = (part: number, externalAad: CoseExternalAad, records = log.segments[part]!.records) =>
      Buffer.concat([
        signCoseSign1({
          payload: encodeCbor(log.segments[part]!.head),
          key: vehicle.party.privateKey,
          externalAad,
          kid,
          tagged: part === 0,
        }),
        encodeCbor(records),
      ]);
    expect((await put(0, cose(0, COSE_EXTERNAL_AAD.logSegment))).body).toMatchObject({ received: 1 });
    // Signed as telemetry it is no segment.
    expect((await put(1, cose(1, COSE_EXTERNAL_AAD.telemetry))).body).toMatchObject({ received: 2 });
    const finish = (upload: string) =>
      vehicle.ask(ground.service, 'POST', `${UPLOADS}/${upload}/finish`, log.delivery(asked));
    expect((await finish(id)).body).toMatchObject({ code: 'telemetry.log_bad_signature', segment: 2 });
    const again = await ground.begin(vehicle, asked);
    for (const part of [0, 1]) {
      const path = `${UPLOADS}/${again}/segments/${part}`;
      await vehicle.put(ground.service, path, cose(part, COSE_EXTERNAL_AAD.logSegment), 'application/cbor-seq');
    }
    expect((await finish(again)).body).toMatchObject({ verdict: 'accepted', counts: { accepted: 6 } });
  });
});
