/** How rotations look in answers. */
import { Instant, page } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';

const fields = {
  id: z.uuid(),
  state: z.enum(['done', 'under_way', 'overdue', 'cancelled']),
  label: z.string().optional(),
  est_label: z.string().optional(),
  reason: z.string(),
  created_by: z.string(),
  started_at: Instant,
  ends_at: Instant,
  within_seconds: z.int(),
  waves: z.int(),
  selected: z.int(),
  renewed: z.int(),
  outstanding: z.int(),
  gone: z.int(),
  cancelled_at: Instant.optional(),
  cancelled_by: z.string().nullable().optional(),
} as const;

export const Rotation = z.strictObject(fields).meta({ id: 'Rotation' });
export const RotationPage = page(Rotation).meta({ id: 'RotationPage' });

/** With a page of the devices that have not renewed yet. */
export const RotationDetail = z
  .strictObject({
    ...fields,
    stragglers: page(
      z.strictObject({
        device_id: DeviceId,
        wave: z.int(),
        last_seen_at: Instant.nullable(),
        certificate_not_after: Instant.nullable(),
      }),
    ),
  })
  .meta({ id: 'RotationDetail' });
