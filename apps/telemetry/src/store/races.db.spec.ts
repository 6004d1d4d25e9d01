import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ground, prepareGround, type Service, startService, TestVehicle } from '../telemetry.fixture.js';

const LONG = process.env.OUTRIDER_TEST_LONG === '1';
const INSTANCES = LONG ? 4 : 2;
const RACES = LONG ? 10_000 : 200;
const CARS = 20;

let ground: Ground;
let services: Service[] = [];
let cars: TestVehicle[] = [];

beforeAll(async () => {
  ground = await prepareGround();
  services = await Promise.all(Array.from({ length: INSTANCES }, (_, index) => startService(ground, index + 1)));
  cars = await Promise.all(
    Array.from({ length: CARS }, (_, index) => TestVehicle.create(ground, `device-race-${index}`)),
  );
}, 60_000);

afterAll(async () => {
  for (const car of cars) car.close();
  await Promise.all(services.map((service) => service.close()));
  await ground?.stop();
});

/** One message to every instance at the same moment; in every third race each instance gets a record of its own under the number. */
async function race(car: TestVehicle, seq: number): Promise<string> {
  const message = car.message(seq);
  const answers = await Promise.all(
    services.map((service, index) =>
      car.post(service, seq % 3 === 0 ? car.message(seq, { telemetry: { choice: index } }) : message),
    ),
  );
  return answers
    .map(({ body }) => body.results[0].verdict as string)
    .sort()
    .join(' ');
}

describe(`${INSTANCES} instances given the same number at the same moment, ${RACES} times`, () => {
  it(
    'accept one record, once: the others are told that it is a duplicate, or that the number is used',
    async () => {
      const outcomes = new Map<string, number>();
      await Promise.all(
        cars.map(async (car) => {
          for (let seq = 1; seq <= RACES / CARS; seq++) {
            const outcome = await race(car, seq);
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          }
        }),
      );
      const others = (verdict: string) => ['accepted', ...Array(INSTANCES - 1).fill(verdict)].join(' ');
      const conflicts = CARS * Math.floor(RACES / CARS / 3);
      expect(Object.fromEntries(outcomes)).toEqual({
        [others('duplicate')]: RACES - conflicts,
        [others('replayed')]: conflicts,
      });
      const client = await ground.database.admin();
      const { rows } = await client.query(
        `SELECT count(*)::int AS rows, count(DISTINCT (device_id, stream, epoch, seq))::int AS numbers FROM messages`,
      );
      await client.end();
      expect(rows).toEqual([{ rows: RACES, numbers: RACES }]);
    },
    LONG ? 600_000 : 60_000,
  );
});
