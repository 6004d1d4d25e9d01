/** Decides what block, unblock and the passing of time make of a target's state. */
import type { DenylistMode } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { Thumbprint } from '@outrider/ids';
import type { BlockTarget } from './block-target.js';

/** The present state. `version` grows with each change; revocation has taken over what is `deliveredVersion`. */
export interface Block {
  readonly target: BlockTarget;
  readonly blocked: boolean;
  readonly mode: DenylistMode;
  readonly reason: string;
  /** Of a device's certificate, where one was named beside it. */
  readonly thumbprint: Thumbprint | undefined;
  /** Where the reason is written up at length. */
  readonly ticket: string | undefined;
  /** When it lifts itself; undefined: when somebody lifts it. */
  readonly expiresAt: Date | undefined;
  readonly changedBy: string;
  readonly changedAt: Date;
  readonly version: number;
  readonly deliveredVersion: number;
}

/** One change of a target's state, as it was decided. */
export interface BlockChange extends Omit<Block, 'version' | 'deliveredVersion'> {
  readonly id: string;
  readonly traceId: string | undefined;
}

/** Who did it and why. */
export interface BlockAct {
  readonly by: string;
  readonly reason: string;
  readonly ticket?: string | undefined;
  readonly now: Date;
}

export type BlockWish = Pick<Block, 'target' | 'mode' | 'thumbprint' | 'expiresAt'>;

/** Who lifts what has expired. */
export const BY_TIME = 'expiry';

/** @returns undefined where the target is blocked so already. */
export function block(
  before: Block | undefined,
  wish: BlockWish,
  { by, reason, ticket, now }: BlockAct,
): Block | undefined {
  if (before?.blocked && before.mode === wish.mode && sameInstant(before.expiresAt, wish.expiresAt)) return undefined;
  const { version, deliveredVersion } = before ?? { version: 0, deliveredVersion: 0 };
  return {
    ...wish,
    blocked: true,
    reason,
    ticket,
    changedBy: by,
    changedAt: after(before, now),
    version: version + 1,
    deliveredVersion,
  };
}

/** Whether the wish gives back some of what the present block takes: the way to recovery, or an earlier end. That is half an unblock. */
export function isWeaker(wish: BlockWish, before: Block | undefined): boolean {
  if (!before?.blocked) return false;
  const endOf = ({ expiresAt }: BlockWish) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
  return (before.mode === 'deny' && wish.mode === 'recovery') || endOf(wish) < endOf(before);
}

/**
 * @param isCompromised it was revoked because its key is known to others: who now uses its name cannot be told.
 * @throws DomainError `gateway.reprovision_required`, `gateway.not_blocked`
 */
export function unblock(
  before: Block | undefined,
  isCompromised: boolean,
  { by, reason, ticket, now }: BlockAct,
): Block {
  if (isCompromised) throw new DomainError('gateway.reprovision_required');
  if (!before?.blocked) throw new DomainError('gateway.not_blocked');
  return {
    ...before,
    blocked: false,
    reason,
    ticket,
    expiresAt: undefined,
    changedBy: by,
    changedAt: after(before, now),
    version: before.version + 1,
  };
}

/**
 * What its time makes of a block: over, it is lifted; where the key was compromised meanwhile it stands until somebody decides.
 * @returns undefined where nothing changes.
 */
export function expire(before: Block | undefined, isCompromised: boolean, now: Date): Block | undefined {
  if (!before?.blocked || !before.expiresAt || before.expiresAt > now) return undefined;
  const act = { by: BY_TIME, ticket: before.ticket, now };
  if (!isCompromised) return unblock(before, false, { ...act, reason: 'the block has expired' });
  const stands = { ...before, expiresAt: undefined, changedBy: BY_TIME, changedAt: after(before, now) };
  return { ...stands, version: before.version + 1 };
}

/**
 * What an approved recovery order makes of a block: it ends the one it knew of (`upTo`: the last change known), a later one stands.
 * @returns undefined where nothing changes.
 */
export function recover(before: Block | undefined, upTo: Date | undefined, act: BlockAct): Block | undefined {
  if (!before?.blocked || !upTo || before.changedAt > upTo) return undefined;
  return unblock(before, false, act);
}

/** Changes are told apart by their time elsewhere (`blockChanged.at`): it grows with the version, whatever the replicas' clocks and the order of commits. */
function after(before: Block | undefined, now: Date): Date {
  return new Date(Math.max(now.getTime(), (before?.changedAt.getTime() ?? Number.NEGATIVE_INFINITY) + 1));
}

function sameInstant(left: Date | undefined, right: Date | undefined): boolean {
  return left?.getTime() === right?.getTime();
}
