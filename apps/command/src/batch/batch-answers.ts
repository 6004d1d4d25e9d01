/** How commands to many look in answers. */
import { CommandState, Instant, page } from '@outrider/contracts';
import { CommandId, DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { BATCH_STATES } from './batch.js';

const fields = {
  id: z.uuid(),
  name: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  critical: z.boolean(),
  target: z.union([
    z.strictObject({ devices: z.int() }),
    z.strictObject({
      query: z.strictObject({
        labels: z.array(z.string()),
        states: z.array(z.enum(['registered', 'active', 'quarantined'])),
      }),
    }),
  ]),
  matched: z.int(),
  state: z.enum(BATCH_STATES),
  requested_by: z.string(),
  created_at: Instant,
  approval_expires_at: Instant.optional(),
  started_at: Instant.optional(),
  not_before: Instant.optional(),
  expires_in: z.int(),
  timeout: z.int(),
} as const;

export const CommandBatch = z.strictObject(fields).meta({ id: 'CommandBatch' });
export const CommandBatchPage = page(CommandBatch).meta({ id: 'CommandBatchPage' });

export const CommandBatchDetail = z
  .strictObject({
    ...fields,
    devices: z.record(z.string(), z.int()).describe('How many devices of the batch, by what became of each.'),
    commands: z.record(z.string(), z.int()).describe('How many commands, by state.'),
    history: z.array(
      z.strictObject({
        state: z.enum(BATCH_STATES),
        at: Instant,
        who: z.string().optional(),
        reason: z.string().optional(),
      }),
    ),
  })
  .meta({ id: 'CommandBatchDetail' });

export const BatchDeviceLine = z.strictObject({
  device_id: DeviceId,
  state: z.enum(['pending', 'sent', 'refused', 'cancelled']),
  code: z.string().optional(),
  detail: z.string().optional(),
  command_id: CommandId.optional(),
  command_state: CommandState.optional(),
});
export type BatchDeviceLine = z.infer<typeof BatchDeviceLine>;
export const BatchDevicePage = page(BatchDeviceLine).meta({ id: 'BatchDevicePage' });

export const BatchPreview = z
  .strictObject({
    matched: z.int(),
    max_devices: z.int(),
    sent_alone: z.int(),
    needs_approval: z.boolean(),
    judged: z.int(),
    could_have_it: z.int(),
    refused: z.array(
      z.strictObject({
        code: z.string(),
        detail: z.string().optional(),
        count: z.int(),
        devices: z.array(DeviceId),
      }),
    ),
    devices: z.array(DeviceId),
  })
  .meta({ id: 'BatchPreview' });
