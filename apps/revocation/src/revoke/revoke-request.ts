/** The body of `POST /revoke`: what names the target, and why. */
import { DomainError } from '@outrider/errors';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

/** Empty strings count as absent: that is what an unset variable in a shell becomes. */
function orAbsent<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => (value === '' || value === null ? undefined : value), schema.optional());
}

export const RevokeBody = z.strictObject({
  serial: orAbsent(SerialNumber),
  thumbprint: orAbsent(Thumbprint),
  device_id: orAbsent(DeviceId),
  reason: orAbsent(z.string().max(64)),
  /** Deny what is named though nobody knows it. */
  force: orAbsent(z.boolean()),
});
export type RevokeBody = z.output<typeof RevokeBody>;

export const RevokeQuery = z.object({
  /** `enforced`: answer when every live instance enforces it. */
  wait: z.enum(['enforced']).optional(),
});

/** What an operator named; at least one of the three. All that are given must agree. */
export interface RevokeTarget {
  readonly serialNumber?: SerialNumber | undefined;
  readonly thumbprint?: Thumbprint | undefined;
  readonly deviceId?: DeviceId | undefined;
}

/** @throws DomainError `revocation.target_missing` */
export function targetOf(body: RevokeBody): RevokeTarget {
  const target = { serialNumber: body.serial, thumbprint: body.thumbprint, deviceId: body.device_id };
  if (!target.serialNumber && !target.thumbprint && !target.deviceId)
    throw new DomainError('revocation.target_missing');
  return target;
}
