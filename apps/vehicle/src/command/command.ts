/** A command as it stands in the signed payload, and what a vehicle knows of commands by itself. */
import { CommandId, DeviceId, Epoch, SequenceNumber } from '@outrider/ids';
import { z } from 'zod';

/** Strict: a member that this agent does not know might limit what the command means. Times in seconds since the epoch. */
export const Command = z.strictObject({
  command_id: CommandId,
  device_id: DeviceId,
  epoch: Epoch,
  counter: SequenceNumber,
  iat: z.int().nonnegative(),
  exp: z.int().nonnegative(),
  name: z.string().min(1).max(64),
  parameters: z.record(z.string(), z.unknown()).default({}),
  nonce: z
    .string()
    .regex(/^[A-Za-z0-9_-]{22,43}$/)
    .optional(),
});
export type Command = z.infer<typeof Command>;

/** What the long poll hands over: a released command, or the word that a critical one waits for a nonce. */
export const Offer = z.object({
  command: z.discriminatedUnion('critical', [
    z.object({ id: CommandId, critical: z.literal(false), jws: z.string().optional(), cose: z.string().optional() }),
    z.object({ id: CommandId, critical: z.literal(true), expires_at: z.number().optional() }),
  ]),
});
export type Offer = z.infer<typeof Offer>['command'];

/** These move or open the vehicle: never without a nonce of its own, whatever the platform calls them. */
const CRITICAL = new Set(['unlock', 'immobilise', 'remote-start', 'recover', 'fetch-logs']);

export function isCritical(name: string): boolean {
  return CRITICAL.has(name);
}

export type OutcomeResult = 'succeeded' | 'failed' | 'refused' | 'uncertain';

/** The last command counter that this vehicle took. */
export interface Counter {
  readonly epoch: number;
  readonly counter: number;
}

/** A nonce that this vehicle made for one command, and when, by its clock. */
export interface OwnNonce {
  readonly nonce: string;
  readonly madeAt: Date;
}

/** What came of a command. `time`: when it was done, seconds since the epoch. */
export interface Done {
  readonly result: OutcomeResult;
  readonly detail: string;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  readonly time: number;
}
