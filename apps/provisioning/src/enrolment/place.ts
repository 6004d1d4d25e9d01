/** Whose request it is: a device of the registry, or one that nobody registered and the label lets in. */
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { type Newcomer, newcomerOf } from '../bootstrap/newcomer.js';
import type { Ask } from './ask.js';

interface Known {
  readonly deviceId: DeviceId;
  readonly manufacturer: string;
  readonly serialNumber: string;
}

interface Identity {
  readonly manufacturer: string;
  readonly serialNumber: string;
}

export type Place<D> =
  | { readonly kind: 'registered'; readonly device: D }
  | { readonly kind: 'new'; readonly newcomer: Newcomer };

/**
 * @param identities under which the manufacturers that vouch would have it registered; none for a fleet certificate.
 * @param devices those that stand so in the registry, and those that have a newcomer's name already.
 * @throws DomainError `est.device_unknown`, `est.certificate_refused`
 */
export function place<D extends Known>(ask: Ask, identities: readonly Identity[], devices: readonly D[]): Place<D> {
  const { client } = ask;
  if (client.kind === 'fleet') {
    const device = devices.find(({ deviceId }) => deviceId === client.deviceId);
    if (device) return { kind: 'registered', device };
    throw new DomainError('est.certificate_refused', { detail: 'the certificate was not handed out here' });
  }
  // Several only where cross-signed manufacturers gave the same serial number.
  const [device, ...more] = devices.filter((row) => identities.some((one) => isOf(row, one)));
  if (device && more.length === 0) return { kind: 'registered', device };
  const newcomer = device ? undefined : newcomerOf(ask.label.policy, identities);
  if (newcomer && !devices.some(({ deviceId }) => deviceId === newcomer.deviceId)) return { kind: 'new', newcomer };
  const names = identities.map(({ manufacturer }) => manufacturer).join(', ');
  const taken = newcomer ? `; ${newcomer.deviceId} is another device` : '';
  throw new DomainError('est.device_unknown', { detail: `${names}: serialNumber ${client.serialNumber}${taken}` });
}

/**
 * Two identities may lead to one name: the first has it, and nothing of the other is ever noted under it, no approval above all.
 * @param before who was given the name in the same group.
 * @throws DomainError `est.device_unknown`
 */
export function takenName<D extends Known>(newcomer: Newcomer, before: D | undefined): D | undefined {
  if (before === undefined || isOf(before, newcomer)) return before;
  const { manufacturer, serialNumber, deviceId } = newcomer;
  const detail = `${manufacturer}: serialNumber ${serialNumber}; ${deviceId} is another device`;
  throw new DomainError('est.device_unknown', { detail });
}

export function isOf(device: Known, { manufacturer, serialNumber }: Identity): boolean {
  return device.manufacturer === manufacturer && device.serialNumber === serialNumber;
}
