/** PostgreSQL or NATS away from the running service at every step of a command: nothing runs twice, nothing vanishes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CommandState } from '@outrider/contracts';
import { newDevice, type Surroundings, startSurroundings } from '../command.fixture.js';
import { startVehicleSide } from '../vehicles.fixture.js';
import { accountOf, Driver, type Way } from './driver.fixture.js';
import { ServiceProcess } from './service-process.fixture.js';
import { Wire } from './wire.fixture.js';

const TEST_MS = 120_000;
const AWAY_MS = 500;

let surroundings: Surroundings;
let side: Awaited<ReturnType<typeof startVehicleSide>>;
let service: ServiceProcess;
let wires: Record<'PostgreSQL' | 'NATS', Wire>;

beforeAll(async () => {
  surroundings = await startSurroundings();
  side = await startVehicleSide(surroundings);
  const { settings } = await surroundings.configOf();
  const { database, nats } = settings;
  wires = {
    PostgreSQL: await Wire.to(database.host, database.port),
    NATS: await Wire.to('127.0.0.1', Number(new URL(nats.url).port)),
  };
  service = await ServiceProcess.prepare(surroundings, {
    database: { ...database, host: '127.0.0.1', port: wires.PostgreSQL.port },
    nats: { ...nats, url: `nats://127.0.0.1:${wires.NATS.port}` },
  });
  service.start();
}, 60_000);
afterAll(async () => {
  await service?.stop();
  await Promise.all(Object.values(wires ?? {}).map((wire) => wire.stop()));
  await side?.stop();
  await surroundings?.stop();
});

const PLAIN = ['queued', 'released', 'succeeded'];
const CRITICAL = ['queued', 'offered', 'challenged', 'released', 'succeeded'];
const POINTS: [CommandState, string, Way, readonly string[]][] = [
  ['queued', 'honk', 'poll', PLAIN],
  ['released', 'honk', 'poll', PLAIN],
  ['released', 'honk', 'stream', PLAIN],
  ['offered', 'unlock', 'stream', CRITICAL],
  ['challenged', 'unlock', 'poll', CRITICAL],
  ['succeeded', 'honk', 'poll', PLAIN],
];

describe.each([
  ['PostgreSQL', 'before', true],
  ['PostgreSQL', 'right after', false],
  ['NATS', 'right after', false],
] as const)('%s goes away %s the commit of', (which, _name, before) => {
  it.each(POINTS)(
    '%s (%s, by %s): it is carried out once, and its history is whole',
    async (state, name, way, history) => {
      const driver = new Driver(side, service, await side.vehicle(newDevice()));
      const wire = wires[which];
      const strike = async () => {
        wire.cut();
        await sleep(AWAY_MS);
      };
      const struck = service.strikeAt({ state, before }, { strike, mend: () => wire.mend() });
      const id = await driver.send(name);
      await driver.serve(way);
      await struck;
      expect(driver.executed).toEqual([id]);
      expect(await accountOf(surroundings, id)).toEqual({ states: history, outcomes: 1, commands: 1 });
    },
    TEST_MS,
  );
});
