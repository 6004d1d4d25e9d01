/** The shape of a catalogue's file: one command, all that is decided about it before anybody sends it. */
import { z } from 'zod';

/**
 * `parameters`: a JSON Schema (2020-12) of a closed object; its defaults become part of what is signed. `roles`: who sends it holds one
 * of these, besides the scopes; absent: every role that may send at all. `policy`: what policies are told of it; `recovery` also opens
 * it to a quarantined vehicle, which gets nothing else. `afterCrash`: what a vehicle does with one that a crash interrupted: say that it
 * is uncertain, or carry it out again.
 */
export const CommandFile = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
  title: z.string().min(1).max(200),
  /** Released only against the vehicle's fresh nonce, and sent only with `command:send-critical`. */
  critical: z.boolean(),
  roles: z.array(z.string().min(1).max(64)).min(1).max(32).optional(),
  policy: z.strictObject({ remoteControl: z.boolean(), recovery: z.boolean().default(false) }),
  parameters: z.looseObject({ type: z.literal('object'), additionalProperties: z.literal(false) }),
  /** Where the sender does not say; absent: the service's default. */
  timeoutSeconds: z.int().min(1).max(3600).optional(),
  expirySeconds: z.int().min(1).max(604_800).optional(),
  afterCrash: z.enum(['uncertain', 'repeatable']),
});
export type CommandFile = z.infer<typeof CommandFile>;
