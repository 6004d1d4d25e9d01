/** What a list of revocations may be asked for. */
import { RevocationReason } from '@outrider/contracts';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

const Cursor = z.string().regex(/^\d{1,18}$/);

export const ListQuery = z.strictObject({
  device_id: DeviceId.optional(),
  serial: SerialNumber.optional(),
  thumbprint: Thumbprint.optional(),
  reason: RevocationReason.optional(),
  /** `released`: only holds that are over; `standing`: all but those. */
  status: z.enum(['standing', 'released']).optional(),
  after: Cursor.optional(),
  before: Cursor.optional().describe('The former name of `after`.'),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
export type ListQuery = z.output<typeof ListQuery>;
