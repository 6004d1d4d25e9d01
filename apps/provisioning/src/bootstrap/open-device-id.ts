/** The device id of a device that nobody registered, by its factory identity: the same one each time it asks. */
import { createHash } from 'node:crypto';
import { DeviceId } from '@outrider/ids';
import type { ManufacturerName } from '../manufacturer/manufacturer.js';

const HASHED_NAME = 30;

/**
 * `demo-motors` and `DM-0001` -> `demo-motors-dm-0001` where that is a device id; else the manufacturer, cut to 30 characters, and 128
 * bits of SHA-256 over both. Two serial numbers that differ in case alone share the first form: the second finds the id taken.
 */
export function openDeviceId(manufacturer: ManufacturerName, serialNumber: string): DeviceId {
  const readable = DeviceId.safeParse(`${manufacturer}-${serialNumber.toLowerCase()}`);
  if (readable.success) return readable.data;
  const hash = createHash('sha256').update(`${manufacturer}\0${serialNumber}`).digest('hex').slice(0, 32);
  return DeviceId.parse(`${manufacturer.slice(0, HASHED_NAME)}-${hash}`);
}
