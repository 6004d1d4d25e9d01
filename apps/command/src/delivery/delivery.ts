/** Decides what a vehicle is shown of its next command, and what has to happen first. */
import type { Command } from '../command/command.js';
import { isBeforeRelease, offer, type Transition } from '../command/command.js';
import { memberOf, type SignedMember } from '../signing/signed-form.js';

export type Offer =
  | ({ readonly id: string; readonly critical: false } & SignedMember)
  /** Without content: the content comes against a fresh nonce. `expires_at`: seconds since the epoch. */
  | { readonly id: string; readonly critical: true; readonly expires_at: number };

/** The oldest open command of a device. `nonceBound`: the device's epoch was raised, which it takes only with a nonce of its own. */
export interface Head {
  readonly command: Command;
  readonly nonceBound: boolean;
}

export type Step =
  | { readonly kind: 'show'; readonly offer: Offer }
  | { readonly kind: 'offer'; readonly transition: Transition; readonly offer: Offer }
  | { readonly kind: 'release' }
  | { readonly kind: 'nothing' };

/** `mayCritical`: the scope of the vehicle's token. A critical command that it may not take holds up what is behind it: order is kept. */
export function nextStep(head: Head | undefined, mayCritical: boolean, now: Date): Step {
  if (!head) return { kind: 'nothing' };
  const { command } = head;
  if (command.critical && !mayCritical) return { kind: 'nothing' };
  if (needsNonce(head)) {
    const offered = offer(command, now);
    return offered
      ? { kind: 'offer', transition: offered, offer: withoutContent(command) }
      : { kind: 'show', offer: withoutContent(command) };
  }
  if (isBeforeRelease(command.state)) return { kind: 'release' };
  return { kind: 'show', offer: withContent(command) };
}

/** A released command goes out again in the form that it went out in. */
export function needsNonce({ command, nonceBound }: Head): boolean {
  return command.critical || (isBeforeRelease(command.state) ? nonceBound : command.nonce !== null);
}

/** The same bytes until its outcome is in: the vehicle knows them. */
export function withContent({ id, jws }: Command): Offer {
  if (jws === null) throw new Error('a command without critical content is released before it is shown');
  return { id, critical: false, ...memberOf(jws) };
}

function withoutContent({ id, expiresAt }: Command): Offer {
  return { id, critical: true, expires_at: Math.floor(expiresAt.getTime() / 1000) };
}
