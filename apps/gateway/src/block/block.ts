/** Decides what block and unblock make of a device's state. */
import type { DenylistMode } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';

/** The present state. `version` grows with each change; revocation has taken over what is `deliveredVersion`. */
export interface Block {
  readonly deviceId: DeviceId;
  readonly blocked: boolean;
  readonly mode: DenylistMode;
  readonly reason: string;
  readonly thumbprint: Thumbprint | undefined;
  readonly changedBy: string;
  readonly changedAt: Date;
  readonly version: number;
  readonly deliveredVersion: number;
}

/** Who did it and why. */
export interface BlockAct {
  readonly by: string;
  readonly reason: string;
  readonly now: Date;
}

export interface BlockWish {
  readonly deviceId: DeviceId;
  readonly mode: DenylistMode;
  readonly thumbprint: Thumbprint | undefined;
}

/** @returns undefined where the device is blocked so already. */
export function block(before: Block | undefined, wish: BlockWish, { by, reason, now }: BlockAct): Block | undefined {
  if (before?.blocked && before.mode === wish.mode) return undefined;
  const { version, deliveredVersion } = before ?? { version: 0, deliveredVersion: 0 };
  return {
    ...wish,
    blocked: true,
    reason,
    changedBy: by,
    changedAt: after(before, now),
    version: version + 1,
    deliveredVersion,
  };
}

/**
 * @param isCompromised the device was revoked because its key is known to others: who now uses its name cannot be told.
 * @throws DomainError `gateway.reprovision_required`, `gateway.not_blocked`
 */
export function unblock(before: Block | undefined, isCompromised: boolean, { by, reason, now }: BlockAct): Block {
  if (isCompromised) throw new DomainError('gateway.reprovision_required');
  if (!before?.blocked) throw new DomainError('gateway.not_blocked');
  return {
    ...before,
    blocked: false,
    reason,
    changedBy: by,
    changedAt: after(before, now),
    version: before.version + 1,
  };
}

/**
 * What an approved recovery order makes of a block: it ends the one it knew of (`upTo`: the last change known), a later one stands.
 * @returns undefined where nothing changes.
 */
export function recover(
  before: Block | undefined,
  upTo: Date | undefined,
  { by, reason, now }: BlockAct,
): Block | undefined {
  if (!before?.blocked || !upTo || before.changedAt > upTo) return undefined;
  return unblock(before, false, { by, reason, now });
}

/** Changes are told apart by their time elsewhere (`blockChanged.at`): it grows with the version, whatever the replicas' clocks and the order of commits. */
function after(before: Block | undefined, now: Date): Date {
  return new Date(Math.max(now.getTime(), (before?.changedAt.getTime() ?? Number.NEGATIVE_INFINITY) + 1));
}
