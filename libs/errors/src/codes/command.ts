/** Commands to vehicles. */
import type { CodeTable } from '../code-entry.js';

export const COMMAND_CODES = {
  'command.not_found': { status: 404, title: 'There is no such command.', retry: 'never' },
  'command.unknown_name': { status: 400, title: 'The catalogue has no such command.', retry: 'changed' },
  'command.parameters_invalid': { status: 400, title: 'The parameters do not fit the command.', retry: 'changed' },
  'command.idempotency_key_required': { status: 400, title: 'An Idempotency-Key is required.', retry: 'changed' },
  'command.idempotency_mismatch': {
    status: 422,
    title: 'The idempotency key was used with another body.',
    retry: 'changed',
  },
  'command.state_conflict': { status: 409, title: "The command's state does not allow this.", retry: 'never' },
  'command.expired': { status: 410, title: 'The command has expired.', retry: 'never' },
  'command.nonce_refused': { status: 409, title: 'The nonce is not acceptable.', retry: 'never' },
  'command.outcome_invalid': {
    status: 422,
    title: "The outcome's signature or content is not acceptable.",
    retry: 'never',
  },
  'command.device_unavailable': {
    status: 409,
    title: 'The device cannot take commands in its state.',
    retry: 'changed',
  },
  'command.queue_full': {
    status: 429,
    title: 'Too many commands are open for this vehicle.',
    retry: 'later',
  },
  'command.batch_not_found': { status: 404, title: 'There is no such batch of commands.', retry: 'never' },
  'command.batch_empty': { status: 422, title: 'The batch names no vehicle.', retry: 'changed' },
  'command.batch_too_large': {
    status: 422,
    title: 'The batch names more vehicles than a batch may have.',
    retry: 'changed',
  },
  'command.batch_closed': {
    status: 409,
    title: "The batch's state does not allow this.",
    retry: 'never',
  },
  'command.batch_same_person': {
    status: 403,
    title: 'Who asked for the batch cannot approve it.',
    retry: 'never',
  },
} as const satisfies CodeTable;
