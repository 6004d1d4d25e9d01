/** How findings in telemetry look in answers. */
import { Instant } from '@outrider/contracts';
import { z } from 'zod';

export const TelemetryFindingList = z
  .strictObject({
    items: z.array(
      z.strictObject({
        finding_id: z.string(),
        kind: z.enum(['jumped', 'jump', 'replayed', 'epoch_raised', 'log_refused']),
        stream: z.string(),
        epoch: z.int(),
        seq: z.int(),
        detail: z.string(),
        found_at: Instant,
      }),
    ),
    next: z.null(),
  })
  .meta({ id: 'TelemetryFindingList' });
