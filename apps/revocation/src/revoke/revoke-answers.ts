/** What a revocation or a release answers. */
import { RevocationReason } from '@outrider/contracts';
import { InstanceId } from '@outrider/ids';
import { z } from 'zod';
import { RevocationJob } from '../job/job-answers.js';

const named = z.strictObject({
  serial: z.string().optional(),
  thumbprint: z.string().optional(),
  device_id: z.string().optional(),
  key: z.string().optional(),
});
/** Which instances enforce it, and since how many milliseconds; who has not said so yet, and when it fails closed. */
const enforcement = {
  sequence: z.int().optional(),
  enforcedBy: z.array(z.strictObject({ instance: InstanceId, ms: z.number() })).optional(),
  pending: z.array(z.strictObject({ instance: InstanceId, failsClosedAt: z.iso.datetime() })).optional(),
} as const;

export const Revoked = z
  .strictObject({
    revoked: z.array(named),
    reason: RevocationReason,
    dry_run: z.strictObject({ certificates: z.int(), fresh: z.int(), devices: z.int(), keys: z.int() }).optional(),
    ...enforcement,
  })
  .meta({ id: 'Revoked' });

/** Of many, or for later: the job that does it. */
export const RevocationJobOpened = z.strictObject({ job: RevocationJob }).meta({ id: 'RevocationJobOpened' });

export const Released = z
  .strictObject({
    released: z.array(named),
    still_denied: z.array(z.strictObject({ kind: z.string(), value: z.string(), reason: z.string() })),
    waiting: z.array(z.strictObject({ id: z.string(), at: z.iso.datetime() })).optional(),
    dry_run: z.literal(true).optional(),
    ...enforcement,
  })
  .meta({ id: 'Released' });
