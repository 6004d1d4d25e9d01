/** What attackers and accidents send to the vehicle listener: each refused by its code, and what is honest goes on. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { RUNTIME, type Runtime } from '@outrider/platform/service';
import { newDevice, type Suite, startSuite, until } from '../command.fixture.js';
import { startVehicleSide, type TestVehicle } from '../vehicles.fixture.js';

const QUEUED = 10_000;

let suite: Suite;
let side: Awaited<ReturnType<typeof startVehicleSide>>;
let port: number;

beforeAll(async () => {
  suite = await startSuite();
  side = await startVehicleSide(suite);
  await suite.app.get(Listeners).open();
  await until(() => suite.app.get(JwksKeys).get('test') !== undefined, 20_000);
  port = suite.app.get<Runtime>(RUNTIME).config.listeners.vehicle!.port;
  await (await side.vehicle(newDevice())).insist(port, 'GET', '/v1/commands/next');
}, 60_000);
afterAll(async () => {
  await side?.stop();
  await suite?.stop();
});

const tell = (vehicle: TestVehicle, id: string, outcome: string) =>
  vehicle.ask(port, 'POST', `/v1/commands/${id}/outcome`, { outcome });

it('an outcome of another vehicle, under its own name or this one’s, changes nothing', async () => {
  const [vehicle, thief] = [await side.vehicle(newDevice()), await side.vehicle(newDevice())];
  const { id } = await suite.send(vehicle.deviceId, { name: 'honk' });
  const { jws } = (await vehicle.ask(port, 'GET', '/v1/commands/next')).body.command;
  expect((await tell(thief, id, thief.outcome(id, jws))).body.code).toBe('command.not_found');
  const asVehicle = { device_id: vehicle.deviceId };
  expect((await tell(thief, id, thief.outcome(id, jws, 'succeeded', asVehicle))).body.code).toBe('command.not_found');
  // Over the vehicle's own connection, by the thief's key: `kid` names no certificate of this vehicle.
  expect(await tell(vehicle, id, thief.outcome(id, jws, 'succeeded', asVehicle))).toMatchObject({
    status: 422,
    body: { code: 'command.outcome_invalid', detail: 'kid is no certificate of this device' },
  });
  expect(await suite.stateOf(id)).toBe('released');
  expect((await tell(vehicle, id, vehicle.outcome(id, jws))).body).toEqual({ id, state: 'succeeded' });
}, 30_000);

it('an outcome that an earlier certificate of the vehicle signed is its word, after a renewal, too', async () => {
  const before = await side.vehicle(newDevice());
  const after = await side.vehicle(before.deviceId);
  const { id } = await suite.send(before.deviceId, { name: 'honk' });
  const { jws } = (await before.ask(port, 'GET', '/v1/commands/next')).body.command;
  expect((await tell(after, id, before.outcome(id, jws))).body).toEqual({ id, state: 'succeeded' });
}, 30_000);

it('an outcome of a command that was never released, or that there is not, is refused', async () => {
  const vehicle = await side.vehicle(newDevice());
  const { id } = await suite.send(vehicle.deviceId, { name: 'unlock' });
  expect((await tell(vehicle, id, vehicle.outcome(id, 'a.b.c'))).body.code).toBe('command.outcome_invalid');
  const other = randomUUID();
  expect((await tell(vehicle, other, vehicle.outcome(other, 'a.b.c'))).body.code).toBe('command.not_found');
  expect(await suite.stateOf(id)).toBe('queued');
});

it('ten thousand queued commands for one vehicle leave their order, and the others, alone', async () => {
  const [vehicle, other] = [await side.vehicle(newDevice()), await side.vehicle(newDevice())];
  const { id } = await suite.send(vehicle.deviceId, { name: 'honk' });
  const client = await suite.database.admin();
  await client.query(
    `INSERT INTO commands (id, device_id, name, parameters, critical, state, requested_by, created_at, expires_at, timeout_seconds)
     SELECT gen_random_uuid(), $1, 'honk', '{}', false, 'queued', 'op:1', now(), now() + interval '1 hour', 30
     FROM generate_series(1, $2::int)`,
    [vehicle.deviceId, QUEUED],
  );
  const { rows } = await client.query('SELECT id FROM commands WHERE device_id = $1 ORDER BY position LIMIT 5', [
    vehicle.deviceId,
  ]);
  await client.end();
  await suite.send(other.deviceId, { name: 'honk' });
  const taken: string[] = [];
  for (let n = 0; n < 5; n += 1) {
    const { command } = (await vehicle.ask(port, 'GET', '/v1/commands/next')).body;
    taken.push(command.id);
    await tell(vehicle, command.id, vehicle.outcome(command.id, command.jws));
  }
  expect(taken).toEqual(rows.map((row) => row.id));
  expect(taken[0]).toBe(id);
  expect((await other.ask(port, 'GET', '/v1/commands/next')).status).toBe(200);
}, 60_000);
