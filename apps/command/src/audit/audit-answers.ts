/** How the evidence of a command looks. */
import { CommandState, Instant } from '@outrider/contracts';
import { SerialNumber, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { BATCH_STATES } from '../batch/batch.js';
import { Command, CommandOutcome } from '../send/command-answers.js';

const step = {
  at: Instant,
  who: z.string().optional(),
  reason: z.string().optional(),
  evidence: z.record(z.string(), z.unknown()).optional(),
} as const;
const signed = {
  epoch: z.int(),
  counter: z.int(),
  issued_at: Instant,
  expires_at: Instant,
  nonce: z.unknown().optional(),
  signer: z.strictObject({ thumbprint: Thumbprint, serial_number: SerialNumber, not_after: Instant }),
} as const;

export const CommandAudit = z
  .strictObject({
    command: Command,
    steps: z.array(
      z.strictObject({
        ...step,
        state: CommandState,
        policies: z.array(z.string()).optional(),
        policy_version: z.int().optional(),
      }),
    ),
    batch_steps: z.array(z.strictObject({ ...step, state: z.enum(BATCH_STATES) })).optional(),
    signed_command: z
      .union([z.strictObject({ ...signed, jws: z.string() }), z.strictObject({ ...signed, cose: z.string() })])
      .optional(),
    signed_outcome: CommandOutcome.optional(),
  })
  .meta({ id: 'CommandAudit' });
