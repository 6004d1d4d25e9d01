import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Ground,
  type HttpAnswer,
  prepareGround,
  type Service,
  startService,
  stored,
  TestVehicle,
  until,
} from '../telemetry.fixture.js';
import { SmallDisk } from './small-disk.fixture.js';

const disk = await SmallDisk.mount();
const where = 'missing' in disk ? ` (skipped: ${disk.missing})` : '';
const CARS = 3;
const LEFT_BYTES = 1_500_000;

let ground: Ground;
let service: Service;
let cars: TestVehicle[] = [];

beforeAll(async () => {
  if ('missing' in disk) return;
  ground = await prepareGround();
  await disk.take(ground);
  service = await startService(ground, 1);
  cars = await Promise.all(Array.from({ length: CARS }, (_, n) => TestVehicle.create(ground, `device-full-${n}`)));
}, 90_000);

afterAll(async () => {
  for (const car of cars) car.close();
  await service?.close();
  await ground?.stop();
  if (!('missing' in disk)) await disk.unmount();
}, 60_000);

/** Large, and nothing that compresses. */
function message(car: TestVehicle, seq: number) {
  const noise = Array.from({ length: 4000 }, () => Math.random().toString(36).slice(2, 10)).join('');
  return car.message(seq, { telemetry: { noise } });
}

describe('a disk that is full', () => {
  ('missing' in disk ? it.skip : it)(
    `is told with 503 and Retry-After; what was acknowledged is there once, and all goes on when there is room${where}`,
    async () => {
      if ('missing' in disk) return;
      for (const car of cars) expect((await car.post(service, message(car, 1))).status).toBe(200);
      disk.fill(LEFT_BYTES);
      const refused: HttpAnswer[] = [];
      const waiting = await Promise.all(
        cars.map(async (car) => {
          for (let seq = 2; ; seq++) {
            const sent = message(car, seq);
            const answer = await car.post(service, sent);
            if (answer.status === 200) continue;
            refused.push(answer);
            return { car, seq, sent };
          }
        }),
      );
      for (const { status, body, headers } of refused) {
        expect({ status, code: body.code }).toEqual({ status: 503, code: 'service.unavailable' });
        expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
      }
      // Room first: PostgreSQL may not even let a new connection in while it has none.
      disk.free();
      for (const { car, seq } of waiting) {
        const seqs = (await stored(ground, car.deviceId)).map((row) => row.seq).sort((a, b) => a - b);
        expect(seqs).toEqual(Array.from({ length: seq - 1 }, (_, index) => index + 1));
      }
      for (const { car, seq, sent } of waiting) {
        expect((await car.post(service, sent)).body.results).toEqual([{ seq, verdict: 'accepted' }]);
        expect(await stored(ground, car.deviceId)).toHaveLength(seq);
      }
      const client = await ground.database.admin();
      for (const table of ['event_groups', 'outbox'])
        await until(async () => (await client.query(`SELECT FROM ${table} LIMIT 1`)).rowCount === 0, 20_000);
      await client.end();
    },
    90_000,
  );
});
