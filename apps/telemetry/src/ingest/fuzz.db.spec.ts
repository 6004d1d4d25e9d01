import { createPrivateKey, type KeyObject } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { verificationKeyOf } from '@outrider/crypto';
import { type EvidenceRecord, verifyRecord } from '@outrider/evidence';
import {
  type Ground,
  type HttpAnswer,
  prepareGround,
  type Service,
  startService,
  TestVehicle,
} from '../telemetry.fixture.js';
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
  type Payload,
} from './formats.fixture.js';
import { Dice, misshape, mutate } from './mutate.fixture.js';

const LONG = process.env.OUTRIDER_TEST_LONG === '1';
/** Messages of each format. */
const COUNT = LONG ? 100_000 : 100;
const AT_ONCE = 8;
const SEED = Number(process.env.OUTRIDER_FUZZ_SEED ?? (LONG ? Date.now() % 2 ** 31 : 7));
/** What may be said to a message; never that the service failed. */
const STATUSES = new Set([200, 400, 403, 409, 413, 415, 422]);
const MOST_MORE_MIB = 64;

interface Format {
  readonly type: string;
  /** A good one, of the payload as it is. */
  readonly make: (key: KeyObject, payload: Payload) => Uint8Array | string;
  readonly payload: (deviceId: string, seq: number) => Payload;
}

const single = (deviceId: string, seq: number): Payload => ({
  ...{ device_id: deviceId, stream: `s${seq % 3}`, epoch: 0, seq, ts: Math.floor(Date.now() / 1000) },
  telemetry: { lat: 37.42, lon: -122.08, speed: 42.3, name: 'Königstraße', gear: [1, null, true] },
});
const batch = (deviceId: string, seq: number) => batchPayload(deviceId, seq * 3, Math.floor(Date.now() / 1000), 3);
const text = (value: unknown) => JSON.stringify(value);

const FORMATS: Record<string, Format> = {
  json: { type: 'application/json', make: (key, one) => text(jsonMessage(key, one)), payload: single },
  array: { type: 'application/json', make: (key, one) => text([jsonMessage(key, one), {}]), payload: single },
  lines: { type: 'application/x-ndjson', make: (key, one) => `${text(jsonMessage(key, one))}\n{}\n`, payload: single },
  cose: { type: COSE, make: (key, one) => coseMessage(key, one), payload: single },
  sequence: {
    type: COSE_SEQUENCE,
    make: (key, one) => Buffer.concat([coseMessage(key, one), coseMessage(key, one, { tagged: false })]),
    payload: single,
  },
  jws: { type: JOSE, make: (key, one) => jwsMessage(key, one), payload: single },
  flattened: { type: JOSE_JSON, make: (key, one) => text(flattened(jwsMessage(key, one))), payload: single },
  'json batch': { type: 'application/json', make: (key, one) => text(jsonMessage(key, one)), payload: batch },
  'cose batch': { type: COSE, make: (key, one) => coseMessage(key, one), payload: batch },
};

let ground: Ground;
let service: Service;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1, { logLevel: 'fatal' });
}, 60_000);

afterAll(async () => {
  await service?.close();
  await ground?.stop();
});

it.each(Object.entries(FORMATS))(
  `%s: of ${COUNT} spoilt messages (seed ${SEED}) none is a fault of ours, and what is taken is proven`,
  async (name, format) => {
    const car = await TestVehicle.create(ground, `device-fuzz-${name.replaceAll(' ', '-')}`);
    const key = createPrivateKey(car.party.privateKeyPem);
    const dice = new Dice(SEED);
    const odd: string[] = [];
    let [sent, refused] = [0, 0];
    const send = async (end: number) => {
      while (sent < end && odd.length === 0) {
        const body = spoilt(format, key, car.deviceId, ++sent, dice);
        const answer = await car.post(service, body, format.type);
        if (isRefused(answer)) refused++;
        if (isOdd(answer)) odd.push(`${answer.status} ${text(answer.body)}: ${body.toString('base64')}`);
      }
    };
    const upTo = (end: number) => Promise.all(Array.from({ length: AT_ONCE }, () => send(end)));
    await upTo(COUNT / 4);
    const before = heapMib();
    await upTo(COUNT);
    expect(odd).toEqual([]);
    expect(refused).toBeGreaterThan(COUNT / 4);
    expect(heapMib() - before).toBeLessThan(MOST_MORE_MIB);
    expect(await car.post(service, car.message(1, { stream: 'after' }))).toMatchObject({ status: 200 });
    expect(await unproven(car)).toEqual([]);
    car.close();
  },
  LONG ? 1_800_000 : 60_000,
);

/** A third is signed well over what is misshapen, the rest is spoilt after it was signed. */
function spoilt({ make, payload }: Format, key: KeyObject, deviceId: string, seq: number, dice: Dice): Buffer {
  const good = payload(deviceId, seq);
  if (dice.roll(3) > 0) return mutate(Buffer.from(make(key, good)), dice);
  return Buffer.from(make(key, misshape(good, dice)));
}

function isRefused({ status, body }: HttpAnswer): boolean {
  const results: { verdict: string }[] = body?.results ?? [];
  return status !== 200 || results.some(({ verdict }) => verdict !== 'accepted');
}

/** A verdict `failed` is a 500 of a single record. */
function isOdd({ status, body }: HttpAnswer): boolean {
  const results: { verdict: string }[] = body?.results ?? [];
  return !STATUSES.has(status) || results.some(({ verdict }) => verdict === 'failed');
}

/** What was stored and does not stand by its own bytes. */
async function unproven(car: TestVehicle): Promise<string[]> {
  const client = await ground.database.admin();
  try {
    const { rows } = await client.query(
      `SELECT m.*, m.seq::float8 AS seq, b.bytes AS batch_bytes, b.signature AS batch_signature
       FROM messages m LEFT JOIN batches b
         ON b.device_id = m.device_id AND b.received_at = m.received_at AND b.sha256 = m.batch_sha256
       WHERE m.device_id = $1`,
      [car.deviceId],
    );
    const key = verificationKeyOf(car.party.privateKey);
    expect(rows.length).toBeGreaterThan(0);
    return rows.flatMap((row) => {
      const verdict = verifyRecord(evidenceOf(row), key);
      return verdict.ok ? [] : [`${row.format} ${row.seq}: ${verdict.fault}`];
    });
  } finally {
    await client.end();
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a row as pg gives it
function evidenceOf(row: any): EvidenceRecord {
  const { bytes, signature } = { bytes: row.batch_bytes, signature: row.batch_signature };
  return {
    ...{ deviceId: row.device_id, stream: row.stream, epoch: row.epoch, seq: row.seq, ts: row.ts },
    ...{ format: row.format, thumbprint: row.thumbprint, payload: row.payload, signature: row.signature },
    canonicalSha256: row.canonical_sha256.toString('hex'),
    batch: bytes ? { of: { bytes, signature }, index: row.batch_index } : undefined,
  };
}

function heapMib(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 1_048_576;
}
