/** What a vehicle is shown of its next command. */
import type { Command } from '../command/command.js';

export type Offer =
  | { readonly id: string; readonly critical: false; readonly jws: string }
  /** Without content: the content comes against a fresh nonce. `expires_at`: seconds since the epoch. */
  | { readonly id: string; readonly critical: true; readonly expires_at: number };

/** A released command goes out again with the same bytes until its outcome is in: the vehicle knows them. */
export function offerOf(command: Command): Offer {
  if (command.critical)
    return { id: command.id, critical: true, expires_at: Math.floor(command.expiresAt.getTime() / 1000) };
  if (command.jws === null) throw new Error('a command without critical content is released before it is shown');
  return { id: command.id, critical: false, jws: command.jws };
}
