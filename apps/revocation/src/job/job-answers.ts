/** How jobs of revocations look in answers. */
import { Instant, page, RevocationReason } from '@outrider/contracts';
import { InstanceId } from '@outrider/ids';
import { z } from 'zod';

const fields = {
  id: z.string(),
  action: z.enum(['revoke', 'release']),
  target: z.union([
    z.strictObject({ issuer: z.string() }),
    z.strictObject({ label: z.string() }),
    z.strictObject({ manufacturer: z.string(), batch: z.string().optional() }),
    z.strictObject({ key: z.string() }),
    z.strictObject({ file: z.enum(['csv', 'ndjson']) }),
    z.strictObject({ names: z.record(z.string(), z.string()) }),
  ]),
  reason: RevocationReason.optional(),
  note: z.string().optional(),
  dry_run: z.boolean().optional(),
  state: z.enum(['receiving', 'waiting', 'resolving', 'running', 'done', 'cancelled', 'failed']),
  lines: z.int(),
  settled: z.int(),
  counts: z.record(z.string(), z.int()),
  requested_by: z.string(),
  elevation: z.string().optional(),
  created_at: Instant,
  at: Instant.optional(),
  started_at: Instant.optional(),
  finished_at: Instant.optional(),
  finished_by: z.string().optional(),
  trouble: z.string().optional(),
  sequence: z.int().optional(),
} as const;

export const RevocationJob = z.strictObject(fields).meta({ id: 'RevocationJob' });
export const RevocationJobPage = page(RevocationJob).meta({ id: 'RevocationJobPage' });

/** Once it has begun, with who enforces it. */
export const RevocationJobDetail = z
  .strictObject({
    ...fields,
    enforcedBy: z.array(InstanceId).optional(),
    pending: z.array(z.strictObject({ instance: InstanceId, failsClosedAt: Instant })).optional(),
  })
  .meta({ id: 'RevocationJobDetail' });

export const JobLinePage = page(
  z.strictObject({
    line: z.int(),
    serial: z.string().optional(),
    thumbprint: z.string().optional(),
    device_id: z.string().optional(),
    key: z.string().optional(),
    /** A line that names nothing, as it stands in the file. */
    invalid: z.string().optional(),
    outcome: z.string(),
    detail: z.string().optional(),
  }),
).meta({ id: 'JobLinePage' });
