/** How the traffic of a device looks in figures. */
import { Instant } from '@outrider/contracts';
import { z } from 'zod';

const place = { stream: z.string(), epoch: z.int() } as const;

export const TelemetryStatistics = z
  .strictObject({
    device_id: z.string(),
    from: Instant,
    to: Instant,
    verdicts: z.record(z.string(), z.int()),
    logs: z.strictObject({ records: z.int(), unanchored: z.int() }),
    latency_ms: z.strictObject({
      p50: z.number().nullable(),
      p99: z.number().nullable(),
      min: z.number().nullable(),
      max: z.number().nullable(),
    }),
    streams: z.array(
      z.strictObject({
        ...place,
        accepted: z.int(),
        from_logs: z.int(),
        unanchored: z.int(),
        lowest: z.int(),
        highest: z.int(),
        missing: z.int(),
      }),
    ),
    gaps: z.array(z.strictObject({ ...place, missing: z.tuple([z.int(), z.int()]) })),
  })
  .meta({ id: 'TelemetryStatistics' });
