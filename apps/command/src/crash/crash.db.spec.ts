/** kill -9 of the real service at every step of a command, before its commit and right after: nothing runs twice, nothing vanishes. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CommandState } from '@outrider/contracts';
import { newDevice, type Surroundings, startSurroundings, until } from '../command.fixture.js';
import { startVehicleSide } from '../vehicles.fixture.js';
import { accountOf, Driver } from './driver.fixture.js';
import { ServiceProcess } from './service-process.fixture.js';

const TEST_MS = 120_000;
const WAIT_MS = 40_000;

let surroundings: Surroundings;
let side: Awaited<ReturnType<typeof startVehicleSide>>;
let service: ServiceProcess;

beforeAll(async () => {
  surroundings = await startSurroundings();
  side = await startVehicleSide(surroundings);
  service = await ServiceProcess.prepare(surroundings);
  service.start();
}, 60_000);
afterAll(async () => {
  await service?.stop();
  await side?.stop();
  await surroundings?.stop();
});

const newDriver = async () => new Driver(side, service, await side.vehicle(newDevice()));
const comesTo = (id: string, state: CommandState) =>
  until(async () => (await accountOf(surroundings, id)).states.at(-1) === state, WAIT_MS);

const PLAIN = ['queued', 'released', 'succeeded'] as const;
const CRITICAL = ['queued', 'offered', 'challenged', 'released', 'succeeded'] as const;
const POINTS: [string, CommandState, string, readonly string[]][] = [
  ...PLAIN.map((state): [string, CommandState, string, readonly string[]] => ['honk', state, 'a plain one', PLAIN]),
  ...(['offered', 'challenged'] as const).map((state): [string, CommandState, string, readonly string[]] => [
    'unlock',
    state,
    'a critical one',
    CRITICAL,
  ]),
];

describe.each([
  ['before the commit of', true],
  ['right after the commit of', false],
])('killed %s', (_name, before) => {
  it.each(POINTS)(
    '%s %s (%s): it is carried out once, and its history is whole',
    async (name, state, _kind, history) => {
      const driver = await newDriver();
      const killed = service.killAt({ state, before });
      const id = await driver.send(name);
      await driver.serve();
      await killed;
      expect(driver.executed).toEqual([id]);
      expect(await accountOf(surroundings, id)).toEqual({ states: history, outcomes: 1, commands: 1 });
    },
    TEST_MS,
  );

  it.each(['failed', 'refused'] as const)(
    '%s: the vehicle says it again, and it counts once',
    async (state) => {
      const driver = await newDriver();
      const id = await driver.send('honk');
      const taken = await driver.take();
      const killed = service.killAt({ state, before });
      await driver.answer(taken, state);
      await killed;
      expect(driver.executed).toEqual([id]);
      const states = ['queued', 'released', state];
      expect(await accountOf(surroundings, id)).toEqual({ states, outcomes: 1, commands: 1 });
    },
    TEST_MS,
  );

  it(
    'unknown: the late outcome resolves it, once',
    async () => {
      const driver = await newDriver();
      const id = await driver.send('honk', { timeout: 1 });
      const killed = service.killAt({ state: 'unknown', before });
      const taken = await driver.take();
      await killed;
      await comesTo(id, 'unknown');
      await driver.answer(taken);
      expect(driver.executed).toEqual([id]);
      const states = ['queued', 'released', 'unknown', 'succeeded'];
      expect(await accountOf(surroundings, id)).toEqual({ states, outcomes: 1, commands: 1 });
    },
    TEST_MS,
  );

  it(
    'expired: it is over, once, and the vehicle gets nothing',
    async () => {
      const driver = await newDriver();
      const killed = service.killAt({ state: 'expired', before });
      const id = await driver.send('honk', { expires_in: 1 });
      await killed;
      await comesTo(id, 'expired');
      expect(await driver.hasNothing()).toBe(true);
      expect(await accountOf(surroundings, id)).toEqual({ states: ['queued', 'expired'], outcomes: 0, commands: 1 });
    },
    TEST_MS,
  );

  it(
    'cancelled: whoever asks again hears that it is, and the vehicle gets nothing',
    async () => {
      const driver = await newDriver();
      const id = await driver.send('honk');
      const killed = service.killAt({ state: 'cancelled', before });
      // Killed after the commit its answer may be lost: the next one says that it is cancelled already.
      const { status } = await driver.cancel(id);
      expect(before ? [200] : [200, 409]).toContain(status);
      await killed;
      expect(await driver.hasNothing()).toBe(true);
      expect(await accountOf(surroundings, id)).toEqual({ states: ['queued', 'cancelled'], outcomes: 0, commands: 1 });
    },
    TEST_MS,
  );
});
