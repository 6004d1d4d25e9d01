/** A device that nobody registered: whether a label lets it in by its factory certificate alone, and as what. */
import type { DeviceId } from '@outrider/ids';
import { type LabelPolicy } from '../label/label.js';
import { ManufacturerName } from '../manufacturer/manufacturer.js';
import { openDeviceId } from './open-device-id.js';

export interface Newcomer {
  readonly deviceId: DeviceId;
  readonly manufacturer: ManufacturerName;
  readonly serialNumber: string;
}

/**
 * What it would be registered as; undefined where the label takes devices of the registry alone, or several manufacturers vouch: then
 * nobody can say whose it is. Whether the id is free the registry says.
 */
export function newcomerOf(
  policy: Pick<LabelPolicy, 'bootstrap'>,
  identities: readonly { readonly manufacturer: string; readonly serialNumber: string }[],
): Newcomer | undefined {
  const [identity, ...more] = identities;
  if (policy.bootstrap === 'preregistered' || !identity || more.length > 0) return undefined;
  const manufacturer = ManufacturerName.parse(identity.manufacturer);
  const { serialNumber } = identity;
  return { deviceId: openDeviceId(manufacturer, serialNumber), manufacturer, serialNumber };
}
