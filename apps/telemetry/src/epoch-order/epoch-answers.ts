/** How epochs look in answers. */
import { Instant, page } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';

export const DeviceEpoch = z
  .strictObject({
    device_id: DeviceId,
    epoch: z.int(),
    min_epoch: z.int(),
    held: z.boolean(),
    orders: z.array(
      z.strictObject({
        min_epoch: z.int(),
        former_epoch: z.int(),
        was_held: z.boolean(),
        reason: z.string(),
        ordered_by: z.string(),
        ordered_at: Instant,
      }),
    ),
    rollbacks: z.array(z.strictObject({ stream: z.string(), epoch: z.int(), seq: z.int(), found_at: Instant })),
  })
  .meta({ id: 'DeviceEpoch' });

export const EpochOpened = z
  .strictObject({ device_id: DeviceId, min_epoch: z.int(), former_epoch: z.int(), was_held: z.boolean() })
  .meta({ id: 'EpochOpened' });

export const HeldEpochPage = page(
  z.strictObject({ device_id: DeviceId, epoch: z.int(), known_epoch: z.int().nullable() }),
).meta({ id: 'HeldEpochPage' });

export const EpochsOpened = z.strictObject({ opened: z.int() }).meta({ id: 'EpochsOpened' });
