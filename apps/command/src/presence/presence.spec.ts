import { expect, it } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import { Presence } from './presence.service.js';

it('one vehicle waits on so many connections and no more, and others have room', () => {
  const presence = new Presence(undefined as never, undefined as never);
  const [vehicle, other] = [DeviceId.parse('device-1'), DeviceId.parse('device-2')];
  const arrived = Array.from({ length: 32 }, () => {
    presence.requireRoom(vehicle);
    return presence.arrived(vehicle);
  });
  expect(() => presence.requireRoom(vehicle)).toThrow(expect.objectContaining({ code: 'request.too_many' }));
  expect(() => presence.requireRoom(other)).not.toThrow();
  arrived[0]!();
  expect(() => presence.requireRoom(vehicle)).not.toThrow();
});
