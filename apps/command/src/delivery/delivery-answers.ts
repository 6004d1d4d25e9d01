/** What a vehicle is told of its commands. */
import { CommandState } from '@outrider/contracts';
import { CommandId } from '@outrider/ids';
import { z } from 'zod';

const shown = { id: CommandId, critical: z.literal(false) } as const;

/** The data of a `command` event, and of the long poll. */
export const OfferedCommand = z
  .strictObject({
    command: z.union([
      z.strictObject({ ...shown, jws: z.string() }),
      z.strictObject({ ...shown, cose: z.string() }),
      z.strictObject({
        id: CommandId,
        critical: z.literal(true),
        expires_at: z.int().describe('Seconds since 1970; the content comes against a nonce.'),
      }),
    ]),
  })
  .meta({ id: 'OfferedCommand' });

export const SignedCommand = z
  .union([z.strictObject({ jws: z.string() }), z.strictObject({ cose: z.string() })])
  .meta({ id: 'SignedCommand' });

export const TakenOutcome = z.strictObject({ id: CommandId, state: CommandState }).meta({ id: 'TakenOutcome' });
