/** What an operator asks for when epochs are opened, and what is told of a device's epochs. */
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';

const Reason = z.string().trim().min(1).max(500);

export const OpenEpochBody = z.strictObject({ reason: Reason });
export type OpenEpochBody = z.output<typeof OpenEpochBody>;

/** `held`: all devices that a restored backup has left held; or those named. */
export const OpenEpochsBody = z.strictObject({
  devices: z.union([z.literal('held'), z.array(DeviceId).min(1).max(1000)]),
  reason: Reason,
});
export type OpenEpochsBody = z.output<typeof OpenEpochsBody>;

export interface DeviceEpoch {
  readonly deviceId: DeviceId;
  readonly epoch: number;
  readonly minEpoch: number;
  /** The highest epoch that the stream of events knows of a held device; null: it is not held. */
  readonly heldEpoch: number | null;
}

export interface EpochOrder {
  readonly deviceId: DeviceId;
  readonly minEpoch: number;
  readonly formerEpoch: number;
  readonly wasHeld: boolean;
}

/** Above everything that the device or the platform ever used, so that no number of before can be one of after. */
export function nextEpoch({ epoch, minEpoch, heldEpoch }: Omit<DeviceEpoch, 'deviceId'>): number {
  return Math.max(epoch, minEpoch, heldEpoch ?? 0) + 1;
}

export function orderFor(device: DeviceEpoch): EpochOrder {
  return {
    deviceId: device.deviceId,
    minEpoch: nextEpoch(device),
    formerEpoch: Math.max(device.epoch, device.minEpoch),
    wasHeld: device.heldEpoch !== null,
  };
}

export function orderDocument({ deviceId, minEpoch, formerEpoch, wasHeld }: EpochOrder) {
  return { device_id: deviceId, min_epoch: minEpoch, former_epoch: formerEpoch, was_held: wasHeld };
}
