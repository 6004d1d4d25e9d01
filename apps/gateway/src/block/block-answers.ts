/** How blocks look in answers. */
import { DenylistMode, Instant, page } from '@outrider/contracts';
import { DeviceId, InstanceId, JwtId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { BLOCK_KINDS } from './block-target.js';

const target = {
  device_id: DeviceId.optional(),
  thumbprint: Thumbprint.optional(),
  network: z.string().optional(),
  token_id: JwtId.optional(),
} as const;

/** What now holds, and which instances enforce it already. */
export const BlockDone = z
  .strictObject({
    ...target,
    blocked: z.boolean(),
    mode: DenylistMode.optional(),
    expires_at: Instant.optional(),
    enforcedBy: z.array(z.strictObject({ instance: InstanceId, ms: z.number() })),
    pending: z.array(z.strictObject({ instance: z.string(), failsClosedAt: Instant.optional() })),
  })
  .meta({ id: 'BlockDone' });

const block = {
  ...target,
  kind: z.enum(BLOCK_KINDS),
  mode: DenylistMode,
  reason: z.string(),
  ticket: z.string().optional(),
  by: z.string(),
  at: Instant,
  expires_at: Instant.optional(),
} as const;

export const BlockPage = page(z.strictObject({ ...block, delivered: z.boolean() })).meta({ id: 'BlockPage' });

export const BlockHistoryPage = page(
  z.strictObject({ ...block, id: z.string(), blocked: z.boolean(), trace_id: z.string().optional() }),
).meta({ id: 'BlockHistoryPage' });
