/** The bodies of block and unblock. Empty strings count as absent: that is what an unset variable in a shell becomes. */
import { DenylistMode } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

function orAbsent<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => (value === '' || value === null ? undefined : value), schema.optional());
}

export const BlockBody = z.strictObject({
  device_id: orAbsent(DeviceId),
  /** One of the device's certificates: a check that the right device is named. */
  thumbprint: orAbsent(Thumbprint),
  reason: orAbsent(z.string().max(500)),
  mode: orAbsent(DenylistMode),
});
export type BlockBody = z.output<typeof BlockBody>;

export const UnblockBody = z.strictObject({
  device_id: orAbsent(DeviceId),
  reason: orAbsent(z.string().max(500)),
});
export type UnblockBody = z.output<typeof UnblockBody>;

export const BlockQuery = z.strictObject({
  after: orAbsent(DeviceId),
  limit: orAbsent(z.coerce.number().int().min(1).max(1000)),
});
export type BlockQuery = z.output<typeof BlockQuery>;

/** @throws DomainError `gateway.target_missing` */
export function requireDevice(deviceId: DeviceId | undefined): DeviceId {
  if (!deviceId) throw new DomainError('gateway.target_missing', { detail: 'device_id' });
  return deviceId;
}
