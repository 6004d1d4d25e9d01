/** How the life of a device looks in answers. */
import { DeviceState, Instant, page } from '@outrider/contracts';
import { z } from 'zod';

export const DeviceHistoryPage = page(
  z.strictObject({
    at: Instant,
    event: z.string(),
    from: DeviceState.optional(),
    to: DeviceState,
    who: z.string(),
    why: z.string(),
    ticket: z.string().optional(),
    detail: z.record(z.string(), z.unknown()).optional(),
  }),
).meta({ id: 'DeviceHistoryPage' });
