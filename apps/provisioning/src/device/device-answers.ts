/** How devices look in answers. */
import { DeviceState, Grant, Instant, page } from '@outrider/contracts';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

const fields = {
  device_id: DeviceId,
  manufacturer: z.string(),
  serial_number: z.string(),
  vin: z.string().optional(),
  hardware: z.string().optional(),
  state: DeviceState,
  held_for: z.array(z.enum(['revocation', 'block', 'theft', 'finding'])).optional(),
  in_workshop: z.boolean().optional(),
  labels: z.array(z.string()),
  grants: z.array(Grant),
  attestation: z.enum(['none', 'hardware']),
  min_epoch: z.int(),
  version: z.int().describe('Its ETag, without the quotes.'),
  created_at: Instant,
  changed_at: Instant,
} as const;

export const Device = z.strictObject(fields).meta({ id: 'Device' });
export const DevicePage = page(Device).meta({ id: 'DevicePage' });

export const DeviceDetail = z
  .strictObject({
    ...fields,
    certificates: z.array(
      z.strictObject({
        serial: SerialNumber,
        thumbprint: Thumbprint,
        not_before: Instant,
        not_after: Instant,
        status: z.enum(['pending', 'live', 'superseded', 'revoked']),
        superseded_by: Thumbprint.optional(),
        overlap_ends_at: Instant.optional(),
        revocation_reason: z.string().optional(),
      }),
    ),
  })
  .meta({ id: 'DeviceDetail' });

/** One device that was registered, or what became of each of many. */
export const Registered = z
  .union([
    Device,
    z.strictObject({
      results: z.array(
        z.union([
          z.strictObject({ device_id: DeviceId, status: z.literal([200, 201]) }),
          z.strictObject({ device_id: DeviceId, status: z.literal(409), code: z.string() }),
        ]),
      ),
    }),
  ])
  .meta({ id: 'Registered' });
