/** How a step of a command looks to who watches. */
import { CommandState, Instant } from '@outrider/contracts';
import { CommandId, DeviceId } from '@outrider/ids';
import { z } from 'zod';

/** The data of a `change` event. */
export const CommandChange = z
  .strictObject({
    command_id: CommandId,
    device_id: DeviceId,
    name: z.string(),
    state: CommandState,
    at: Instant,
    reason: z.string().optional(),
    policies: z.array(z.string()).optional(),
    requested_by: z.string(),
    batch: z.uuid().optional(),
  })
  .meta({ id: 'CommandChange' });
