/** What a command's JWS says (docs/protocols/command.md). */
import type { Command } from '../command/command.js';

export interface Counter {
  readonly epoch: number;
  readonly counter: number;
}

/** The payload's JSON. `exp`: no later than the command's expiry; seconds since the epoch. */
export function commandPayload(command: Command, { epoch, counter }: Counter, now: Date): string {
  return JSON.stringify({
    command_id: command.id,
    device_id: command.deviceId,
    epoch,
    counter,
    iat: Math.floor(now.getTime() / 1000),
    exp: Math.floor(command.expiresAt.getTime() / 1000),
    name: command.name,
    parameters: command.parameters,
    ...(command.nonce === null ? {} : { nonce: command.nonce }),
  });
}
