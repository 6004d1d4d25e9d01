import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { encodeCbor } from '@outrider/canonicalization';
import { COSE_EXTERNAL_AAD, JWS_TYP, signCoseSign1, signJws } from '@outrider/crypto';
import { ExportVerifier, verifyReceipt } from '@outrider/evidence';
import { TestOperator } from '../reading/operator.fixture.js';
import { type Ground, prepareGround, type Service, startService, TestVehicle, until } from '../telemetry.fixture.js';

let ground: Ground;
let service: Service;
let operator: TestOperator;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1);
  operator = new TestOperator(ground, service);
}, 60_000);

afterAll(async () => {
  operator?.close();
  await ground?.stop();
});

/** A vehicle whose certificate provisioning knows. */
async function vehicle(name: string): Promise<TestVehicle> {
  const made = await ground.vehicle(name);
  const { der, thumbprint } = made.party.certificate;
  const certificate = Buffer.from(der).toString('base64');
  ground.authority.certificates.set(thumbprint, { certificate, deviceId: made.deviceId, status: 'live' });
  return made;
}

async function readable(car: TestVehicle, count: number): Promise<void> {
  const path = `/v1/devices/${car.deviceId}/telemetry?limit=500`;
  await until(async () => JSON.parse((await operator.get(path)).text).items.length === count, 20_000);
}

/** One record of each of the formats, and a signed batch of two in JSON and of two in CBOR. */
async function sendEveryFormat(car: TestVehicle): Promise<void> {
  const key = car.party.privateKey;
  const batch = (seq: number) => {
    const { device_id, ts } = car.payload(seq) as { device_id: string; ts: number };
    const records = [1, 2].map((speed) => ({ ts, telemetry: { speed } }));
    return { typ: 'outrider/telemetry-batch/v1', device_id, stream: 'main', epoch: 0, seq, ts, records };
  };
  const cose = (payload: object, externalAad: (typeof COSE_EXTERNAL_AAD)[keyof typeof COSE_EXTERNAL_AAD]) =>
    Buffer.from(signCoseSign1({ payload: encodeCbor(payload), key, externalAad }));
  const jws = signJws({ header: { typ: JWS_TYP.telemetry }, payload: JSON.stringify(car.payload(3)), key });
  for (const [body, type] of [
    [car.message(1), 'application/json'],
    [cose(car.payload(2), COSE_EXTERNAL_AAD.telemetry), 'application/cose; cose-type="cose-sign1"'],
    [jws, 'application/jose'],
    [car.signed(batch(4)), 'application/json'],
    [cose(batch(6), COSE_EXTERNAL_AAD.telemetryBatch), 'application/cose; cose-type="cose-sign1"'],
  ] as const) {
    const answer = await car.post(service, body, type);
    expect(answer).toMatchObject({ status: 200 });
  }
  await readable(car, 7);
}

/** As somebody with the whole database in his hands would. */
async function tamper(statement: string): Promise<void> {
  const client = await ground.database.admin();
  try {
    await client.query('SET session_replication_role = replica');
    expect((await client.query(statement)).rowCount).toBeGreaterThan(0);
  } finally {
    await client.end();
  }
}

describe('verification of what is stored', () => {
  it('finds every format as it was signed, says how far it is, and sums up', async () => {
    const car = await vehicle('device-verify');
    await sendEveryFormat(car);
    const events = await operator.lines('/v1/devices/device-verify/telemetry/verify');
    expect(events.at(-2)).toMatchObject({ event: 'progress', checked: 7, verified: 7, faulty: 0, total: 7 });
    expect(events.at(-1)).toEqual({
      ...{ event: 'summary', ok: true, checked: 7, verified: 7, faulty: 0, faults: {} },
      formats: { json: 1, cose: 1, jws: 1, 'json-batch': 2, 'cose-batch': 2 },
      logs: { deliveries: 0, segments: 0, faulty: 0, unanchored: 0 },
      certificates: [car.party.certificate.thumbprint],
    });
    const watched = operator.follow('/v1/devices/device-verify/telemetry/verify', { accept: 'text/event-stream' });
    await until(() => watched.state.ended, 20_000);
    expect(watched.events.map(({ event }) => event)).toEqual(['progress', 'summary']);
  });

  it('names each record that was changed behind our back, batches and rows too', async () => {
    const car = await vehicle('device-tampered');
    await sendEveryFormat(car);
    const where = (seq: number) => `WHERE device_id = 'device-tampered' AND seq = ${seq}`;
    await tamper(
      `UPDATE messages SET payload = convert_to(replace(convert_from(payload, 'UTF8'), '42.5', '12.5'), 'UTF8') ${where(1)}`,
    );
    // The last byte of a COSE_Sign1 is of its signature.
    await tamper(
      `UPDATE messages SET payload = set_byte(payload, length(payload) - 1, 255 - get_byte(payload, length(payload) - 1)) ${where(2)}`,
    );
    await tamper(`UPDATE messages SET ts = ts - 1 ${where(3)}`);
    await tamper(`UPDATE messages SET batch_index = 1 ${where(4)}`);
    await tamper(`DELETE FROM batches WHERE device_id = 'device-tampered' AND format = 'cose-batch'`);
    const events = await operator.lines('/v1/devices/device-tampered/telemetry/verify');
    const faults = events.filter(({ event }) => event === 'fault');
    expect(faults.map(({ seq, fault }) => [seq, fault])).toEqual([
      [1, 'bad_signature'],
      [2, 'bad_signature'],
      [3, 'row_mismatch'],
      [4, 'row_mismatch'],
      [6, 'batch_missing'],
      [7, 'batch_missing'],
    ]);
    expect(events.at(-1)).toMatchObject({ event: 'summary', ok: false, checked: 7, verified: 1, faulty: 6 });
  });

  it('says so where the certificate is not there, or was not valid then', async () => {
    const car = await vehicle('device-lost-certificate');
    await car.post(service, car.message(1));
    await readable(car, 1);
    const path = '/v1/devices/device-lost-certificate/telemetry/verify';
    await tamper(`UPDATE messages SET thumbprint = '${'x'.repeat(43)}' WHERE device_id = 'device-lost-certificate'`);
    expect(await operator.lines(path)).toMatchObject([{ fault: 'certificate_missing' }, {}, { ok: false }]);
    const other = await vehicle('device-other-certificate');
    const { thumbprint } = other.party.certificate;
    await tamper(`UPDATE messages SET thumbprint = '${thumbprint}' WHERE device_id = 'device-lost-certificate'`);
    expect(await operator.lines(path)).toMatchObject([{ fault: 'certificate_invalid' }, {}, { ok: false }]);
  });

  it('keeps to the range', async () => {
    const car = await vehicle('device-range');
    for (const seq of [1, 2]) await car.post(service, car.message(seq));
    await readable(car, 2);
    const { items } = JSON.parse((await operator.get('/v1/devices/device-range/telemetry')).text);
    const path = '/v1/devices/device-range/telemetry/verify';
    expect((await operator.lines(`${path}?to=${items[1].received_at}`)).at(-1)).toMatchObject({ checked: 1 });
    expect((await operator.lines(`${path}?from=${items[1].received_at}`)).at(-1)).toMatchObject({ checked: 1 });
    expect((await operator.lines(`${path}?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z`)).at(-1)).toMatchObject({
      checked: 0,
      ok: true,
    });
    expect(await operator.get(`${path}?from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z`)).toMatchObject({
      status: 400,
    });
    expect(await operator.get(path, { accept: 'text/html' })).toMatchObject({ status: 406 });
  });
});

describe('an export', () => {
  const judge = (text: string) => {
    const verifier = new ExportVerifier([ground.fleet.root.certificate]);
    for (const line of text.split('\n').slice(0, -1)) verifier.line(Buffer.from(line));
    return verifier.finish();
  };

  it('holds all that an auditor needs who trusts the fleet root alone', async () => {
    const car = await vehicle('device-export');
    await sendEveryFormat(car);
    const { headers, text } = await operator.get('/v1/devices/device-export/telemetry/export');
    expect(headers['content-type']).toBe('application/x-ndjson');
    expect(headers['content-disposition']).toBe('attachment; filename="telemetry-device-export.ndjson"');
    expect(judge(text)).toMatchObject({
      ok: true,
      records: 7,
      verified: 7,
      certificates: 1,
      deviceId: 'device-export',
    });
    expect(judge(text.replace('42.5', '12.5'))).toMatchObject({ ok: false });
    const cut = text.split('\n').slice(0, -2).join('\n');
    expect(judge(`${cut}\n`).manifestFault).toMatch(/cut short/);
  });

  it('of nothing stands too, and of what was changed does not', async () => {
    const car = await vehicle('device-export-changed');
    await car.post(service, car.message(1));
    await readable(car, 1);
    const nothing = '/v1/devices/device-export-changed/telemetry/export?to=2020-01-01T00:00:00Z';
    expect(judge((await operator.get(nothing)).text)).toMatchObject({ ok: true, records: 0 });
    await tamper(`UPDATE messages SET signature = repeat('ab', 64) WHERE device_id = 'device-export-changed'`);
    const report = judge((await operator.get('/v1/devices/device-export-changed/telemetry/export')).text);
    expect(report).toMatchObject({ ok: false, faults: [{ seq: 1, fault: 'bad_signature' }] });
    expect(report.manifestFault).toBeUndefined();
  });
});

describe('a receipt', () => {
  const anchors = () => [ground.fleet.root.certificate];

  it('says what was answered, by the digests that name the records and the time they were stored', async () => {
    const car = await vehicle('device-receipt');
    const messages = [
      car.message(1),
      { ...car.message(2), signature: '00'.repeat(64) },
      { nonsense: true },
      car.message(1),
    ];
    const answer = await car.post(service, messages, 'application/json', { prefer: 'receipt' });
    expect(answer.headers['preference-applied']).toBe('receipt');
    const verdict = verifyReceipt(answer.body.receipt, anchors());
    if (!verdict.ok) throw new Error(verdict.reason);
    await readable(car, 1);
    const [stored] = JSON.parse((await operator.get('/v1/devices/device-receipt/telemetry')).text).items;
    const { receipt } = verdict;
    expect(receipt).toMatchObject({ device_id: 'device-receipt', committed_at: stored.received_at });
    const named = { seq: 1, stream: 'main', epoch: 0, sha256: stored.canonical_sha256 };
    expect(receipt.results).toEqual([
      { ...named, verdict: 'accepted' },
      { seq: 2, verdict: 'bad_signature', code: 'telemetry.bad_signature' },
      { seq: null, verdict: 'invalid', code: 'telemetry.invalid' },
      { ...named, verdict: 'duplicate' },
    ]);
  });

  it('comes with the refusal of a single message too, and to nobody who did not ask', async () => {
    const car = await vehicle('device-refused');
    const forged = { ...car.message(1), signature: '00'.repeat(64) };
    const refused = await car.post(service, forged, 'application/json', { prefer: 'respond-async, receipt' });
    expect(refused).toMatchObject({ status: 422, headers: { 'preference-applied': 'receipt' } });
    expect(verifyReceipt(refused.body.receipt, anchors())).toMatchObject({
      ok: true,
      receipt: { results: [{ seq: 1, verdict: 'bad_signature' }] },
    });
    const plain = await car.post(service, car.message(1));
    expect(plain.body.receipt).toBeUndefined();
    expect(plain.headers['preference-applied']).toBeUndefined();
  });
});

describe('statistics', () => {
  it('tell latency, gaps and verdicts of one device, also after a restart', async () => {
    const car = await vehicle('device-statistics');
    await car.post(
      service,
      [1, 2, 5, 9].map((seq) => car.message(seq)),
    );
    await car.post(service, [
      car.message(1, { ts: (car.payload(1).ts as number) - 1 }),
      { ...car.message(3), signature: '00' },
    ]);
    const late = { ts: (car.payload(1).ts as number) - 30, stream: 'late' };
    await car.post(service, car.message(1, late));
    await readable(car, 5);
    const again = await startService(ground, 2);
    const path = '/v1/devices/device-statistics/telemetry/statistics';
    const told = async () => JSON.parse((await operator.get(path)).text);
    await until(async () => (await told()).verdicts.replayed === 1, 20_000);
    const statistics = await told();
    expect(statistics).toMatchObject({
      device_id: 'device-statistics',
      verdicts: { accepted: 5, replayed: 1, bad_signature: 1 },
      streams: [
        { stream: 'late', accepted: 1, missing: 0 },
        { stream: 'main', epoch: 0, accepted: 4, lowest: 1, highest: 9, missing: 5 },
      ],
      gaps: [{ missing: [3, 4] }, { missing: [6, 8] }],
    });
    expect(statistics.latency_ms.p99).toBeGreaterThan(25_000);
    expect(statistics.latency_ms.p50).toBeLessThan(statistics.latency_ms.p99);
    const other = new TestOperator(ground, again);
    expect(JSON.parse((await other.get(path)).text).verdicts).toEqual(statistics.verdicts);
    other.close();
    await again.close();
    expect(await operator.get(`${path}?from=2020-01-01T00:00:00Z`)).toMatchObject({ status: 422 });
  });
});
