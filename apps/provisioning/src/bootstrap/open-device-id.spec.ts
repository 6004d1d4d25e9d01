import { describe, expect, it, test } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import fc from 'fast-check';
import { ManufacturerName } from '../manufacturer/manufacturer.js';
import { openDeviceId } from './open-device-id.js';

const MOTORS = ManufacturerName.parse('demo-motors');

describe('the id of a device that nobody registered', () => {
  test.each([
    ['DM-0001', 'demo-motors-dm-0001'],
    ['dm-0001', 'demo-motors-dm-0001'],
    ['12345', 'demo-motors-12345'],
  ])('serial number %s: %s', (serialNumber, expected) => {
    expect(openDeviceId(MOTORS, serialNumber)).toBe(expected);
  });

  test.each(['A B', 'A.B', 'A/../B', 'ü', 'X'.repeat(60), ''])(
    'serial number %j, which is no part of an id',
    (serial) => {
      expect(openDeviceId(MOTORS, serial)).toMatch(serial === '' ? /^demo-motors-$/ : /^demo-motors-[0-9a-f]{32}$/);
    },
  );

  it('is a device id, and the same one again, for any factory identity', () => {
    const manufacturer = fc.stringMatching(/^[a-z0-9][a-z0-9-]{1,62}$/).map((name) => ManufacturerName.parse(name));
    fc.assert(
      fc.property(manufacturer, fc.string({ maxLength: 64 }), (name, serialNumber) => {
        const id = openDeviceId(name, serialNumber);
        expect(DeviceId.parse(id)).toBe(openDeviceId(name, serialNumber));
      }),
    );
  });

  it('differs where the serial number does, when it is a hash', () => {
    expect(openDeviceId(MOTORS, 'A.B')).not.toBe(openDeviceId(MOTORS, 'a.b'));
  });
});
