import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Readiness } from '@outrider/platform/service';
import pg from 'pg';
import {
  type Ground,
  prepareGround,
  type Service,
  startService,
  stored,
  TestVehicle,
  until,
} from '../telemetry.fixture.js';
import { allowDirect, backUp, operate, published, restore } from './restored-database.fixture.js';

let ground: Ground;
let services: Service[] = [];
const cars: Record<'forgotten' | 'known' | 'newcomer', TestVehicle> = {} as never;

beforeAll(async () => {
  ground = await prepareGround();
  for (const name of ['forgotten', 'known', 'newcomer'] as const)
    cars[name] = await TestVehicle.create(ground, `device-${name}`);
}, 60_000);

afterAll(async () => {
  for (const car of Object.values(cars)) car.close();
  await stopAll();
  await ground?.stop();
});

async function start(...numbers: number[]): Promise<Service> {
  services = await Promise.all(numbers.map((number) => startService(ground, number)));
  return services[0]!;
}

async function stopAll(): Promise<void> {
  await Promise.all(services.splice(0).map((service) => service.close()));
}

async function heldDevices(service: Service): Promise<unknown> {
  return (await service.app.get(Readiness).report()).checks.epochs;
}

describe('a database restored from an older backup', () => {
  /** The last message that the backup does not know. */
  let late: unknown;

  beforeAll(async () => {
    let service = await start(1);
    for (let seq = 1; seq <= 3; seq++) {
      await cars.forgotten.post(service, cars.forgotten.message(seq));
      await cars.known.post(service, cars.known.message(seq, { stream: 'other' }));
    }
    await published(ground);
    await stopAll();
    await backUp(ground);
    service = await start(1);
    expect(await heldDevices(service)).toEqual({ ok: true, detail: { heldDevices: 0 } });
    late = cars.forgotten.message(4);
    expect((await cars.forgotten.post(service, late)).status).toBe(200);
    expect((await cars.newcomer.post(service, cars.newcomer.message(1))).status).toBe(200);
    await published(ground);
    await stopAll();
    await restore(ground);
    // Both compare at once: a device is held once.
    await start(2, 3);
  }, 120_000);

  it('is found at the start: the devices whose numbers it has forgotten are refused, retryably, and no others', async () => {
    const [one, other] = services as [Service, Service];
    for (const service of [one, other]) {
      expect(await heldDevices(service)).toEqual({ ok: true, detail: { heldDevices: 2 } });
      const refused = await cars.forgotten.post(service, late);
      expect(refused.status).toBe(503);
      expect(refused.body).toMatchObject({
        code: 'telemetry.epoch_closed',
        windows: [{ stream: 'main', epoch: 0, highest: 3, minEpoch: 0 }],
      });
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      expect((await cars.newcomer.post(service, cars.newcomer.message(2))).body.code).toBe('telemetry.epoch_closed');
    }
    expect(await stored(ground, cars.forgotten.deviceId)).toHaveLength(3);
    expect((await cars.known.post(one, cars.known.message(4, { stream: 'other' }))).status).toBe(200);
  });

  it('is not walked around by a device that raises its epoch by itself', async () => {
    const raised = await cars.forgotten.post(services[0]!, cars.forgotten.message(1, { epoch: 1 }));
    expect(raised.body.code).toBe('telemetry.epoch_closed');
  });

  it('is told to operators, who alone may open an epoch, with a reason', async () => {
    const service = services[0]!;
    const { get, post } = operate(ground, service);
    const { body } = await get('/v1/epochs/held?limit=1');
    expect(body).toEqual({
      items: [{ device_id: 'device-forgotten', epoch: 0, known_epoch: 0 }],
      next: 'device-forgotten',
    });
    expect((await get(`/v1/epochs/held?after=${body.next}`)).body.items).toMatchObject([
      { device_id: 'device-newcomer' },
    ]);
    const path = '/v1/devices/device-forgotten/epoch';
    expect((await operate(ground, service, 'device:read').post(path, { reason: 'x' })).status).toBe(403);
    expect((await post(path, { reason: ' ' })).status).toBe(400);
    expect((await post('/v1/devices/device-nobody/epoch', { reason: 'x' })).body.code).toBe('telemetry.unknown_device');
  });

  it('is over for a device once its epoch is opened: the old one is stale, the new one begins at 1', async () => {
    const [one, other] = services as [Service, Service];
    const { get, post } = operate(ground, one);
    const opened = await post('/v1/devices/device-forgotten/epoch', { reason: 'restored to Sunday' });
    expect(opened.body).toEqual({ device_id: 'device-forgotten', min_epoch: 1, former_epoch: 0, was_held: true });
    const stale = await cars.forgotten.post(other, late);
    expect(stale.status).toBe(409);
    expect(stale.body).toMatchObject({
      code: 'telemetry.stale_epoch',
      windows: [{ epoch: 1, highest: 0, minEpoch: 1 }],
    });
    expect((await cars.forgotten.post(other, cars.forgotten.message(1, { epoch: 1 }))).status).toBe(200);
    const shown = (await get('/v1/devices/device-forgotten/epoch')).body;
    expect(shown).toMatchObject({
      epoch: 1,
      min_epoch: 1,
      held: false,
      orders: [{ min_epoch: 1, former_epoch: 0, was_held: true, reason: 'restored to Sunday' }],
      rollbacks: [{ stream: 'main', epoch: 0, seq: 4 }],
    });
    expect(shown.orders[0].ordered_by).toMatch(/^op:/);
  });

  it('is over for all the rest by one order', async () => {
    const { post } = operate(ground, services[0]!);
    const order = { devices: 'held', reason: 'restored to Sunday' };
    expect((await post('/v1/epochs', order)).body).toEqual({ opened: 1 });
    expect((await post('/v1/epochs', order)).body).toEqual({ opened: 0 });
    expect(await heldDevices(services[0]!)).toEqual({ ok: true, detail: { heldDevices: 0 } });
    expect((await cars.newcomer.post(services[0]!, cars.newcomer.message(1, { epoch: 1 }))).status).toBe(200);
  });

  it('leaves a history that the service itself cannot change', async () => {
    const { host, port, name, password, schema } = ground.database;
    const client = new pg.Client({ host, port, database: name, user: schema, password });
    await client.connect();
    try {
      for (const table of ['rollbacks', 'epoch_orders']) {
        for (const statement of [`UPDATE ${table} SET epoch = 0`, `DELETE FROM ${table}`, `TRUNCATE ${table}`])
          await expect(client.query(statement)).rejects.toMatchObject({ code: /^4(2501|2703)$/ });
      }
    } finally {
      await client.end();
    }
  });

  it('is not found again at the next start', async () => {
    await published(ground);
    await stopAll();
    expect(await heldDevices(await start(4))).toEqual({ ok: true, detail: { heldDevices: 0 } });
  }, 60_000);
});

describe('what vehicles do not do by themselves', () => {
  it('is a finding: a jump, and a number used for another record; once while it goes on', async () => {
    const service = services[0]!;
    const other = (seq: number, more: object) => cars.known.message(seq, { stream: 'other', ...more });
    for (const speed of [1, 2])
      expect((await cars.known.post(service, other(4, { telemetry: { speed } }))).status).toBe(409);
    expect((await cars.known.post(service, other(20_004, {}))).status).toBe(200);
    const found = async () =>
      (await operate(ground, service).get('/v1/devices/device-known/telemetry/findings')).body.items;
    await until(async () => (await found()).length >= 2, 20_000);
    expect(await found()).toMatchObject([
      { kind: 'jumped', stream: 'other', seq: 20_004, detail: '20000 above the highest number before' },
      { kind: 'replayed', stream: 'other', seq: 4 },
    ]);
  });
});

describe('high-water marks that cannot be read', () => {
  it('keep the service from starting until they can', async () => {
    await stopAll();
    await allowDirect(ground, false);
    let started = false;
    const starting = start(5).then((service) => {
      started = true;
      return service;
    });
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(started).toBe(false);
    await allowDirect(ground, true);
    expect(await heldDevices(await starting)).toEqual({ ok: true, detail: { heldDevices: 0 } });
  }, 90_000);
});
