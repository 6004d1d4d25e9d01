/** command: offers to the pod that holds a vehicle's connection, and changes of state. */
import { CommandId, DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { event } from './contract.js';
import { Instant } from './values.js';

export const CommandState = z.enum([
  'queued',
  'offered',
  'challenged',
  'released',
  'succeeded',
  'failed',
  'refused',
  'unknown',
  'expired',
  'cancelled',
]);
export type CommandState = z.infer<typeof CommandState>;

/** There is something for this device; the pod with its connection looks it up. */
export const deliveryOffered = event({
  subject: 'command.delivery.offered.v1',
  routed: true,
  ephemeral: true,
  from: 'command',
  to: ['command'],
  payload: z.strictObject({ commandId: CommandId }),
});

/**
 * A vehicle's new token for the stream that it has open, on whichever pod: that pod judges it again, whole. The token is of use over that
 * vehicle's own connections alone, and for a minute at most.
 */
export const streamRenewed = event({
  subject: 'command.stream.renewed.v1',
  routed: true,
  ephemeral: true,
  from: 'command',
  to: ['command'],
  payload: z.strictObject({ streamId: z.uuid(), authorization: z.string().max(8192) }),
});

export const commandChanged = event({
  subject: 'command.command.changed.v1',
  routed: true,
  from: 'command',
  to: [],
  payload: z.strictObject({
    commandId: CommandId,
    deviceId: DeviceId,
    name: z.string(),
    state: CommandState,
    at: Instant,
    reason: z.string().optional(),
  }),
});
