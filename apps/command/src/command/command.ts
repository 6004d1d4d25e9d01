/** The life of a command: which state follows which, and why. Time is an argument; nothing here reads or writes. */
import type { CommandState } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId } from '@outrider/ids';

/** What a policy may know of an operator. */
export interface RequestedAs {
  readonly roles: readonly string[];
  readonly secondFactor: boolean;
  readonly elevated: boolean;
}

/** Which policies decided, and which version of them. */
export interface PolicyBasis {
  readonly policies: readonly string[];
  readonly version: number;
}

export interface Command {
  readonly id: CommandId;
  readonly deviceId: DeviceId;
  readonly name: string;
  readonly parameters: Record<string, unknown>;
  readonly critical: boolean;
  readonly state: CommandState;
  readonly requestedBy: string;
  /** What its sender was by the token it was sent with; null for one of before policies. */
  readonly requestedAs: RequestedAs | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** It is handed out no earlier. */
  readonly notBefore: Date | null;
  /** The batch that it was sent with. */
  readonly batchId: string | null;
  /** Seconds after the release without an outcome: then `unknown`. */
  readonly timeoutSeconds: number;
  readonly nonce: string | null;
  /** The compact JWS; the same bytes for every delivery. */
  readonly jws: string | null;
  readonly releasedAt: Date | null;
  readonly resolvedAt: Date | null;
  readonly reason: string | null;
}

/** A command that changed, and the history line that says so. `from`: the state it is written over, and no other. */
export interface Transition {
  readonly command: Command;
  readonly from: CommandState;
  readonly at: Date;
  readonly reason?: string;
  readonly basis?: PolicyBasis;
  readonly evidence?: Evidence;
}

/** What a step stood on, for who asks later: whose token, which certificate. Append-only, beside the step. */
export type Evidence = Readonly<Record<string, unknown>>;

/** A step as it is kept. */
export interface HistoryLine {
  readonly state: CommandState;
  readonly at: Date;
  readonly reason: string | null;
  readonly policies: readonly string[] | null;
  /** A bigint, as text. */
  readonly policy_version: string | null;
  readonly evidence: Evidence | null;
}

/** The whole machine: what may follow what. `unknown` is left once, by a late outcome, and only where no outcome made it so. */
export const NEXT: Readonly<Record<CommandState, readonly CommandState[]>> = {
  queued: ['offered', 'challenged', 'released', 'expired', 'cancelled'],
  offered: ['challenged', 'expired', 'cancelled'],
  challenged: ['challenged', 'released', 'expired', 'cancelled'],
  released: ['succeeded', 'failed', 'refused', 'unknown'],
  unknown: ['succeeded', 'failed', 'refused', 'unknown'],
  succeeded: [],
  failed: [],
  refused: [],
  expired: [],
  cancelled: [],
};

const BEFORE_RELEASE: readonly CommandState[] = ['queued', 'offered', 'challenged'];

/** What stands between a device and its next command. */
export const OPEN: readonly CommandState[] = [...BEFORE_RELEASE, 'released'];

export function isBeforeRelease(state: CommandState): boolean {
  return BEFORE_RELEASE.includes(state);
}

/** A critical command is shown to its vehicle without content. The same offer again changes nothing. */
export function offer(command: Command, now: Date): Transition | undefined {
  return command.state === 'queued' ? move(command, 'offered', now) : undefined;
}

/**
 * The vehicle's nonce for a critical command. Undefined: this nonce has released it already, the same JWS is the answer.
 * Throws `command.nonce_refused` for another nonce after release, `command.expired`, `command.state_conflict`.
 */
export function challenge(command: Command, nonce: string, now: Date): Transition | undefined {
  if (!command.critical) throw new DomainError('command.nonce_refused', { detail: 'this command takes no nonce' });
  if (command.state === 'released') {
    if (command.nonce !== nonce)
      throw new DomainError('command.nonce_refused', { detail: 'released against another nonce' });
    if (now >= command.expiresAt) throw new DomainError('command.expired');
    return undefined;
  }
  if (!isBeforeRelease(command.state)) throw conflict(command);
  if (now >= command.expiresAt) throw new DomainError('command.expired');
  return move({ ...command, nonce }, 'challenged', now);
}

/** Signed and handed out: from here it may have happened. */
export function release(command: Command, jws: string, basis: PolicyBasis, now: Date): Transition {
  const ready = command.critical ? command.state === 'challenged' : isBeforeRelease(command.state);
  if (!ready) throw conflict(command);
  return { ...move({ ...command, jws, releasedAt: now }, 'released', now), basis };
}

export type OutcomeState = 'succeeded' | 'failed' | 'refused' | 'unknown';

/** The vehicle's word. A late one resolves `unknown`, and says that it was late; the first word stands against any later one. */
export function resolve(command: Command, outcome: OutcomeState, detail: string | undefined, now: Date): Transition {
  const late = command.state === 'unknown';
  if (command.state !== 'released' && !(late && command.resolvedAt === null)) throw conflict(command);
  const reason = [late ? 'late' : undefined, outcome === 'unknown' ? 'the vehicle is uncertain' : undefined, detail]
    .filter((part) => part !== undefined)
    .join(': ');
  return move({ ...command, resolvedAt: now }, outcome, now, reason || undefined);
}

/** What time alone does: expiry before the release, `unknown` after it. `seenUntil`: when the vehicle was last known to be connected. */
export function elapse(command: Command, now: Date, seenUntil?: Date): Transition | undefined {
  if (isBeforeRelease(command.state) && now >= command.expiresAt)
    return move(command, 'expired', now, 'not released in time');
  if (command.state !== 'released' || !command.releasedAt) return undefined;
  const deadline = command.releasedAt.getTime() + command.timeoutSeconds * 1000;
  if (now.getTime() < deadline) return undefined;
  const seen = seenUntil ? `its connection was seen until ${seenUntil.toISOString()}` : 'its connection was not seen';
  return move(command, 'unknown', now, `released at ${command.releasedAt.toISOString()}, no outcome in time; ${seen}`);
}

/** Throws `command.state_conflict` once released: it may have happened. */
export function cancel(command: Command, reason: string, now: Date, evidence?: Evidence): Transition {
  if (!isBeforeRelease(command.state)) throw conflict(command);
  return { ...move(command, 'cancelled', now, reason), ...(evidence ? { evidence } : {}) };
}

/** Policies allowed it when it was sent, and do not at its release: it never happens. */
export function deny(command: Command, basis: PolicyBasis, now: Date): Transition {
  const because = basis.policies.length > 0 ? basis.policies.join(', ') : 'no policy permits it';
  return { ...cancel(command, `policy: ${because}`, now), basis };
}

function move(command: Command, state: CommandState, at: Date, reason?: string): Transition {
  const { state: from } = command;
  if (!NEXT[from].includes(state)) throw conflict(command);
  return { command: { ...command, state, reason: reason ?? null }, from, at, ...(reason ? { reason } : {}) };
}

function conflict(command: Command): DomainError {
  return new DomainError('command.state_conflict', { detail: `the command is ${command.state}` });
}
