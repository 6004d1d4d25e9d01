/** How commands look in answers. */
import { CommandState, Instant, page } from '@outrider/contracts';
import { CommandId, DeviceId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

const fields = {
  id: CommandId,
  device_id: DeviceId,
  name: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  /** Released against a fresh nonce of the vehicle alone. */
  critical: z.boolean(),
  state: CommandState,
  reason: z.string().optional(),
  requested_by: z.string(),
  batch: z.uuid().optional(),
  created_at: Instant,
  not_before: Instant.optional(),
  expires_at: Instant,
  timeout: z.int().describe('Seconds that the vehicle has for it.'),
  released_at: Instant.optional(),
} as const;

export const Command = z.strictObject(fields).meta({ id: 'Command' });

export const CommandOutcome = z
  .strictObject({
    result: z.string(),
    detail: z.string().optional(),
    data: z.unknown().optional(),
    executed_at: Instant,
    received_at: Instant,
    certificate: Thumbprint.describe('Of the vehicle’s certificate that signed it.'),
    jws: z.string(),
  })
  .meta({ id: 'CommandOutcome' });

export const CommandDetail = z
  .strictObject({
    ...fields,
    outcome: CommandOutcome.optional(),
    history: z.array(
      z.strictObject({
        state: CommandState,
        at: Instant,
        reason: z.string().optional(),
        policies: z.array(z.string()).optional(),
        policy_version: z.int().optional(),
      }),
    ),
  })
  .meta({ id: 'CommandDetail' });

export const CommandPage = page(Command).meta({ id: 'CommandPage' });

export const CommandKinds = z
  .strictObject({
    items: z.array(
      z.strictObject({
        name: z.string(),
        title: z.string(),
        critical: z.boolean(),
        scopes: z.array(z.string()),
        roles: z.array(z.string()).optional(),
        parameters: z.record(z.string(), z.unknown()).describe('JSON Schema.'),
        expires_in: z.int().optional(),
        timeout: z.int().optional(),
        after_crash: z.enum(['uncertain', 'repeatable']),
        policy: z.strictObject({ remote_control: z.boolean(), recovery: z.boolean() }),
      }),
    ),
    next: z.null(),
  })
  .meta({ id: 'CommandKinds' });
