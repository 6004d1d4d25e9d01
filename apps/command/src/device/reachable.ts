/** Decides whether a device may be sent a command: active or about to be, and with the registry's grant. */
import type { DeviceSnapshot } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';

export type KnownDevice = Pick<DeviceSnapshot, 'state' | 'grants'>;

/** Throws `command.device_unavailable`, naming why. */
export function requireReachable(device: KnownDevice, critical: boolean): void {
  const unavailable = (detail: string) => new DomainError('command.device_unavailable', { detail });
  if (device.state !== 'active' && device.state !== 'registered') throw unavailable(`the device is ${device.state}`);
  if (!device.grants.includes('command:receive')) throw unavailable('the device has no grant command:receive');
  if (critical && !device.grants.includes('command:critical'))
    throw unavailable('the device has no grant command:critical');
}
