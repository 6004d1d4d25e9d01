import { beforeAll, describe, expect } from '@jest/globals';
import { newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { newKey, newRequest } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { outriderJson } from '../harness/outrider.js';
import { isRefused, loot, refusals } from '../harness/theft.js';
import { est, type Factory, makeDevice, Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

interface Registered {
  readonly manufacturer: string;
  readonly serial_number: string;
}

/** As the demo manufacturer numbers its devices. */
const serialOf = (id: string) => `DM-${id.toUpperCase()}`;

describe('an ECU swap', () => {
  let vehicle: Vehicle;
  let fitted: Factory;
  let before: Registered;
  let spare: string;

  const registered = (id: string) => outriderJson<Registered>('device', 'show', id);
  const enrolBy = async (factory: Factory) => {
    const key = await newKey(newDeviceId('swap'), 'P-256');
    return est('simpleenroll', await newRequest(key, `/CN=${vehicle.id}`), factory);
  };

  beforeAll(async () => {
    vehicle = await Vehicle.enrol('swapped');
    before = await registered(vehicle.id);
    // New hardware comes from the factory under a serial number of its own; nothing registers it before the order does.
    spare = newDeviceId('spare');
    fitted = await makeDevice(spare, '--no-register');
  });

  test('takes the old hardware out of service and lets the new one in', async () => {
    const goods = await loot(vehicle);
    const factory = ['--factory', `${before.manufacturer}:${serialOf(spare)}`];
    const reason = ['--reason', 'the ECU burned', '--evidence', 'workshop sheet 12'];
    const { order_id } = await outriderJson<{ order_id: string }>(
      'order',
      'request',
      vehicle.id,
      'ecu_swap',
      ...factory,
      ...reason,
    );
    expect((await enrolBy(fitted)).status).toBe(403);
    await outriderJson('order', 'approve', order_id, '--as', 'local-approver');
    expect(await registered(vehicle.id)).toMatchObject({ state: 'registered', serial_number: serialOf(spare) });
    const seen = await refusals(vehicle, goods, performance.now());
    expect(Object.values(seen).every(isRefused)).toBe(true);
    const old = await enrolBy(vehicle.factory);
    expect({ status: old.status, code: old.body.split(':')[0] }).toEqual({ status: 403, code: 'est.device_unknown' });
    expect((await enrolBy(fitted)).status).toBe(200);
    expect(await registered(vehicle.id)).toMatchObject({ state: 'active' });
  });

  test('leaves the old hardware good for nothing else', async () => {
    const body = { device_id: newDeviceId('reused'), ...before };
    const { manufacturer, serial_number, device_id } = body;
    const answer = await operator('provisioning', 'POST', '/v1/devices', {
      body: { device_id, manufacturer, serial_number },
    });
    expect({ status: answer.status, code: answer.body.code }).toEqual({
      status: 409,
      code: 'provisioning.device_conflict',
    });
  });
});
