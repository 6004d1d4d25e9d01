/** PostgreSQL or NATS away from the running service at every step of a command: nothing runs twice, nothing vanishes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CommandState } from '@outrider/contracts';
import { newDevice, type Surroundings, startSurroundings, until } from '../command.fixture.js';
import { startVehicleSide } from '../vehicles.fixture.js';
import { accountOf, Driver, type Way } from './driver.fixture.js';
import { ServiceProcess } from './service-process.fixture.js';
import { Wire } from './wire.fixture.js';

const TEST_MS = 120_000;
const AWAY_MS = 500;
const WAIT_MS = 20_000;

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

it(
  'NATS stays away while commands wait and a stream is open: nothing goes out on an old denylist, and all of it once it is back',
  async () => {
    const driver = new Driver(side, service, await side.vehicle(newDevice()));
    const { vehicle } = driver;
    const port = service.vehiclePort;
    await vehicle.insist(port, 'GET', '/v1/commands/next');
    const first = await driver.send('honk');
    const stream = await vehicle.stream(port);
    await until(() => stream.events.some(({ event }) => event === 'command'), WAIT_MS);
    wires.NATS.cut();
    // Sent again and again under one key, until the service can ask the policies about the vehicle.
    const second = driver.send('locate');
    await until(() => stream.ended, WAIT_MS);
    expect(stream.events.at(-1)).toEqual({ event: 'refused', data: { code: 'revocation.stale' } });
    for (const path of ['/v1/commands/next', '/v1/commands/stream'])
      expect(await vehicle.ask(port, 'GET', path)).toMatchObject({ status: 503, body: { code: 'revocation.stale' } });
    wires.NATS.mend();
    await driver.serve('stream');
    const [one, two] = [first, await second];
    await driver.serve('stream');
    expect(driver.executed).toEqual([one, two]);
    for (const id of [one, two])
      expect(await accountOf(surroundings, id)).toEqual({ states: PLAIN, outcomes: 1, commands: 2 });
  },
  TEST_MS,
);
