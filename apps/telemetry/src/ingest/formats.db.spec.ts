import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { messageAccepted } from '@outrider/contracts';
import { sha256 } from '@outrider/crypto';
import { type Ground, prepareGround, type Service, startService, until } from '../telemetry.fixture.js';
import {
  batchPayload,
  COSE,
  COSE_SEQUENCE,
  coseMessage,
  flattened,
  JOSE,
  JOSE_JSON,
  jsonMessage,
  jwsMessage,
} from './formats.fixture.js';

let ground: Ground;
let service: Service;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1);
}, 60_000);

afterAll(() => ground?.stop());

interface Row {
  readonly seq: number;
  readonly format: string;
  readonly algorithm: string;
  readonly token_id: string | null;
  readonly payload: Buffer;
  readonly signature: string | null;
  readonly batch_sha256: Buffer | null;
  readonly batch_index: number | null;
}

const stored = (deviceId: string) =>
  ground.query<Row>('SELECT m.*, m.seq::float8 AS seq FROM messages m WHERE device_id = $1 ORDER BY m.seq', [deviceId]);
const nowSeconds = () => Math.floor(Date.now() / 1000);
const verdicts = (answer: { body: { results: { seq: number; verdict: string }[] } }) =>
  answer.body.results.map(({ seq, verdict }) => `${seq} ${verdict}`);

describe.each(['Ed25519', 'P-256', 'P-384'] as const)('a vehicle with a %s key', (keyType) => {
  const name = `device-formats-${keyType.toLowerCase()}`;

  it('sends every format, and is stored as it sent', async () => {
    const car = await ground.vehicle(name, keyType);
    const key = car.party.privateKey;
    const compact = jwsMessage(key, car.payload(2));
    const flat = JSON.stringify(flattened(jwsMessage(key, car.payload(3))));
    const cose = coseMessage(key, car.payload(1));
    const sent: [Uint8Array | string, string, string[]][] = [
      [cose, COSE, ['1 accepted']],
      [compact, JOSE, ['2 accepted']],
      [flat, JOSE_JSON, ['3 accepted']],
      [
        Buffer.concat([coseMessage(key, car.payload(4)), coseMessage(key, car.payload(5), { tagged: false })]),
        COSE_SEQUENCE,
        ['4 accepted', '5 accepted'],
      ],
      [JSON.stringify(jsonMessage(key, car.payload(6))), 'application/json', ['6 accepted']],
    ];
    for (const [body, type, expected] of sent) {
      const answer = await car.post(service, body, type);
      expect([answer.status, verdicts(answer)]).toEqual([200, expected]);
      expect(verdicts(await car.post(service, body, type))).toEqual(
        expected.map((said) => said.replace('accepted', 'duplicate')),
      );
    }
    const kept = await stored(name);
    expect(kept.map(({ format }) => format)).toEqual(['cose', 'jws', 'jws', 'cose', 'cose', 'json']);
    expect(kept.map(({ signature }) => signature === null)).toEqual([true, true, true, true, true, false]);
    expect([kept[0]!.payload, kept[1]!.payload.toString(), kept[2]!.payload.toString()]).toEqual([cose, compact, flat]);
    const algorithm = { Ed25519: 'EdDSA', 'P-256': 'ES256', 'P-384': 'ES384' }[keyType];
    expect(kept.every((row) => row.algorithm === algorithm && row.token_id !== null)).toBe(true);
  });
});

describe('a signed batch', () => {
  test.each(['json-batch', 'cose-batch'] as const)('%s: a verdict a record, the batch kept once', async (format) => {
    const car = await ground.vehicle(`device-${format}`);
    const key = car.party.privateKey;
    const payload = batchPayload(car.deviceId, 1, nowSeconds(), 5);
    const body = format === 'json-batch' ? JSON.stringify(jsonMessage(key, payload)) : coseMessage(key, payload);
    const type = format === 'json-batch' ? 'application/json' : COSE;
    const answer = await car.post(service, body, type);
    expect(answer).toMatchObject({ status: 200, body: { accepted: 5, windows: [{ highest: 5, missing: [] }] } });
    expect(verdicts(answer)).toEqual([1, 2, 3, 4, 5].map((seq) => `${seq} accepted`));
    expect(verdicts(await car.post(service, body, type))).toEqual([1, 2, 3, 4, 5].map((seq) => `${seq} duplicate`));
    const kept = await stored(car.deviceId);
    expect(kept.map((row) => [row.format, row.signature, row.batch_index])).toEqual(
      [0, 1, 2, 3, 4].map((index) => [format, null, index]),
    );
    const batches = await ground.query<{ sha256: Buffer; bytes: Buffer; signature: string | null }>(
      'SELECT * FROM batches WHERE device_id = $1',
      [car.deviceId],
    );
    expect(batches).toHaveLength(1);
    expect(batches[0]!.sha256).toEqual(sha256(batches[0]!.bytes));
    expect(kept.every((row) => row.batch_sha256?.equals(batches[0]!.sha256))).toBe(true);
    expect(batches[0]!.signature === null).toBe(format === 'cose-batch');
  });

  it('is taken where some of its records came before by themselves, and they are not stored twice', async () => {
    const car = await ground.vehicle('device-overlapping');
    const ts = nowSeconds();
    const batch = batchPayload(car.deviceId, 1, ts, 3);
    const [, second] = batch.records as { ts: number; telemetry: object }[];
    expect(await car.post(service, car.message(2, { ...second }))).toMatchObject({ status: 200 });
    const answer = await car.post(service, jsonMessage(car.party.privateKey, batch));
    expect(verdicts(answer)).toEqual(['1 accepted', '2 duplicate', '3 accepted']);
    expect((await stored(car.deviceId)).map(({ seq, format }) => [seq, format])).toEqual([
      [1, 'json-batch'],
      [2, 'json'],
      [3, 'json-batch'],
    ]);
  });

  it('forged, or another vehicle’s, is refused record by record', async () => {
    const [car, thief] = [await ground.vehicle('device-honest'), await ground.vehicle('device-forger')];
    const batch = batchPayload(car.deviceId, 1, nowSeconds(), 3);
    const forged = await car.post(service, jsonMessage(thief.party.privateKey, batch));
    expect([forged.status, verdicts(forged)]).toEqual([200, [1, 2, 3].map((seq) => `${seq} bad_signature`)]);
    const stolen = await thief.post(service, coseMessage(car.party.privateKey, batch), COSE);
    expect([stolen.status, verdicts(stolen)]).toEqual([200, [1, 2, 3].map((seq) => `${seq} wrong_device`)]);
    expect(await stored(car.deviceId)).toEqual([]);
  });

  it('stands among messages in NDJSON', async () => {
    const car = await ground.vehicle('device-mixed');
    const key = car.party.privateKey;
    const lines = [
      car.message(1),
      jsonMessage(key, batchPayload(car.deviceId, 2, nowSeconds(), 2)),
      flattened(jwsMessage(key, car.payload(4))),
    ];
    const body = lines.map((line) => JSON.stringify(line)).join('\n');
    expect(verdicts(await car.post(service, body, 'application/x-ndjson'))).toEqual(
      [1, 2, 3, 4].map((seq) => `${seq} accepted`),
    );
  });
});

it('one message of any format sent by itself is refused with a status of its own', async () => {
  const car = await ground.vehicle('device-statuses');
  const key = car.party.privateKey;
  const late = car.payload(1, { ts: nowSeconds() - 300 });
  for (const [body, type] of [
    [coseMessage(key, late), COSE],
    [jwsMessage(key, late), JOSE],
    [JSON.stringify(flattened(jwsMessage(key, late))), JOSE_JSON],
  ] as const) {
    expect(await car.post(service, body, type)).toMatchObject({ status: 422, body: { code: 'telemetry.skewed' } });
  }
  const unread = {
    code: 'request.malformed',
    accepted: 0,
    results: [{ seq: null, verdict: 'invalid', code: 'request.malformed' }],
  };
  for (const [body, type] of [
    [Buffer.from('bf6161f6ff', 'hex'), COSE],
    [coseMessage(key, car.payload(1)).subarray(0, -1), COSE],
    ['hello', JOSE],
    ['{"payload":', JOSE_JSON],
  ] as const) {
    expect(await car.post(service, body, type)).toMatchObject({ status: 400, body: unread });
  }
  expect(await car.post(service, 'hello', 'application/cbor')).toMatchObject({ status: 415 });
});

it('the event of a record that came as CBOR holds its JSON', async () => {
  const car = await ground.vehicle('device-projected');
  const seen: { payload: string; seq: number }[] = [];
  const listener = await ground.nats.connectAs('telemetry');
  await listener.subscribe(`${messageAccepted.subject}.${car.deviceId}`, {
    callback: (_error: unknown, message: { json(): unknown }) => {
      seen.push(message.json() as (typeof seen)[0]);
    },
  });
  await car.post(service, coseMessage(car.party.privateKey, car.payload(1, { telemetry: { b: 1.5, a: 'é' } })), COSE);
  await until(() => seen.length > 0, 20_000);
  await listener.close();
  expect(seen[0]!.payload).toContain('"telemetry":{"a":"é","b":1.5}');
});
