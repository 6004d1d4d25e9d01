/** Decides what entry follows from the claims on it: it stands as long as anyone claims it, in the hardest mode claimed, for the gravest reason. */
import type { DenylistKind, DenylistMode } from '@outrider/contracts';

/**
 * `revoke`: a revocation, never withdrawn. `hold`: one that a release, and nothing else, withdraws. `superseded`: a certificate that gave way. `request`: another service's wish, the one
 * kind that `denylistRemove` withdraws. `lasting`: another service's wish for good. `registry`: what provisioning wants of a device by its
 * state. `bucket`: found in the bucket and not here, after a restore.
 */
export type ClaimSource = 'revoke' | 'hold' | 'superseded' | 'request' | 'lasting' | 'registry' | 'bucket';

export interface EntryName {
  readonly kind: DenylistKind;
  readonly value: string;
}

export interface Claim extends EntryName {
  readonly mode: DenylistMode;
  readonly reason: string;
  /** Absent: for ever. */
  readonly until?: Date | undefined;
}

export interface SourcedClaim extends Claim {
  readonly source: ClaimSource;
}

/** What can be taken back is below what cannot: the reason is all that a restored database may learn of an entry. */
const GRAVITY: Readonly<Record<ClaimSource, number>> = {
  revoke: 6,
  bucket: 5,
  lasting: 4,
  superseded: 3,
  hold: 2,
  registry: 1,
  request: 0,
};

/** The entry that the claims on one name add up to at `now`; undefined where none of them stands. */
export function effectiveEntry(claims: readonly SourcedClaim[], now: Date): Claim | undefined {
  const standing = claims.filter(({ until }) => until === undefined || until > now);
  const mode = standing.some((claim) => claim.mode === 'deny') ? 'deny' : 'recovery';
  const [first, ...rest] = standing.filter((claim) => claim.mode === mode);
  if (!first) return undefined;
  const all = [first, ...rest];
  const { kind, value, reason } = rest.reduce(graver, first);
  return { kind, value, mode, reason, until: all.map(({ until }) => until).reduce(longer) };
}

function longer(left: Date | undefined, right: Date | undefined): Date | undefined {
  return left && right && (left > right ? left : right);
}

function graver(left: SourcedClaim, right: SourcedClaim): SourcedClaim {
  return gravity(left) >= gravity(right) ? left : right;
}

/** What was found in the bucket is as grave as what its reason says that it was. */
function gravity({ source, reason }: SourcedClaim): number {
  if (source === 'bucket' && reason === 'blocked') return GRAVITY.request;
  if (source === 'bucket' && reason === 'certificateHold') return GRAVITY.hold;
  return GRAVITY[source];
}

/** Whether two entries of one name say the same. */
export function sameEntry(left: Claim | undefined, right: Claim | undefined): boolean {
  if (!left || !right) return left === right;
  return left.mode === right.mode && left.reason === right.reason && left.until?.getTime() === right.until?.getTime();
}
