import { expect, test } from '@jest/globals';
import { CommandId, DeviceId } from '@outrider/ids';
import { carryOut, type VehicleNow } from './carry-out.js';
import { Command } from './command.js';

const PARKED: VehicleNow = { speedKmh: 0, position: { lat: 1, lon: 2 } };

function command(name: string, parameters: Record<string, unknown> = {}): Command {
  const id = CommandId.parse('11111111-2222-4333-8444-555555555555');
  const device = DeviceId.parse('device-1');
  return Command.parse({ command_id: id, device_id: device, epoch: 0, counter: 1, iat: 1, exp: 2, name, parameters });
}

test.each<[string, Record<string, unknown>, VehicleNow, string, Record<string, string>]>([
  ['honk', { times: 2 }, PARKED, 'succeeded', { honked: '2' }],
  ['honk', {}, PARKED, 'succeeded', { honked: '1' }],
  ['honk', { times: 6 }, PARKED, 'refused', {}],
  ['honk', { times: '2' }, PARKED, 'refused', {}],
  ['honk', { times: 1, loud: true }, PARKED, 'refused', {}],
  ['locate', {}, PARKED, 'succeeded', {}],
  ['locate', {}, { speedKmh: 0, position: undefined }, 'failed', {}],
  ['set-interval', { seconds: 5 }, PARKED, 'succeeded', { interval_seconds: '5' }],
  ['set-interval', { seconds: 0 }, PARKED, 'refused', {}],
  ['set-interval', {}, PARKED, 'refused', {}],
  ['unlock', {}, PARKED, 'succeeded', { doors: 'unlocked' }],
  ['immobilise', {}, PARKED, 'succeeded', { immobilised: 'now' }],
  ['immobilise', {}, { ...PARKED, speedKmh: 80 }, 'succeeded', { immobilised: 'at_standstill' }],
  ['immobilise', {}, { ...PARKED, speedKmh: undefined }, 'succeeded', { immobilised: 'at_standstill' }],
  ['self-destruct', {}, PARKED, 'refused', {}],
  ['constructor', {}, PARKED, 'refused', {}],
  ['__proto__', {}, PARKED, 'refused', {}],
])('%s %j on %j: %s', (name, parameters, vehicle, result, effects) => {
  expect(carryOut(command(name, parameters), vehicle)).toMatchObject({ result, effects });
});

test('locate answers with the position', () => {
  expect(carryOut(command('locate'), PARKED).data).toEqual({ lat: 1, lon: 2 });
});

test('what is only simulated says so', () => {
  for (const name of ['honk', 'unlock', 'immobilise'])
    expect(carryOut(command(name), PARKED).detail).toContain('simulated');
});
