/** Decides whether a device may be sent a command: active or about to be, quarantined where the command is for recovery, and with the registry's grant. */
import type { DeviceSnapshot } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { CommandKind } from '../catalogue/catalogue.js';

export type KnownDevice = Pick<DeviceSnapshot, 'state' | 'grants'>;

/** Throws `command.device_unavailable`, naming why. */
export function requireReachable(device: KnownDevice, { critical, policy }: CommandKind): void {
  const unavailable = (detail: string) => new DomainError('command.device_unavailable', { detail });
  const { state, grants } = device;
  if (state === 'quarantined' && !policy.recovery)
    throw unavailable('the device is quarantined: it takes recovery commands alone');
  if (state !== 'active' && state !== 'registered' && state !== 'quarantined')
    throw unavailable(`the device is ${state}`);
  if (!grants.includes('command:receive')) throw unavailable('the device has no grant command:receive');
  if (critical && !grants.includes('command:critical')) throw unavailable('the device has no grant command:critical');
}
