/** Rights for a reason and a time: who may ask, who may grant, when a grant begins and ends, and which token carries it. */
import { ELEVATED_SCOPES, type ElevatedScope } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { z } from 'zod';
import { mayRequest } from '../operator-token/roles.js';

/** How long a request waits for its decision. */
export const REQUEST_SECONDS = 3600;
export const MIN_DURATION_SECONDS = 60;
export const MAX_DURATION_SECONDS = 4 * 3600;
/** Requests of one account that may wait at once. */
export const MAX_OPEN_REQUESTS = 100;

const Text = z.string().trim().max(1000);

/** The reason is for who decides, and for those who ask later: a word will not do. */
export const ElevationBody = z.strictObject({
  scope: z.enum(ELEVATED_SCOPES),
  reason: Text.min(10),
  duration_seconds: z.int().min(MIN_DURATION_SECONDS).max(MAX_DURATION_SECONDS),
});
export type ElevationBody = z.infer<typeof ElevationBody>;

/** Newest first; the cursor is the last one shown. */
export const ElevationQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: z
    .string()
    .transform((cursor) => Buffer.from(cursor, 'base64url').toString('latin1'))
    .pipe(z.string().regex(/^\d{1,15}\.[0-9a-f-]{36}$/))
    .optional(),
});
export type ElevationQuery = z.infer<typeof ElevationQuery>;

export function elevationCursor({ requestedAt, elevationId }: Elevation): string {
  return Buffer.from(`${requestedAt.getTime()}.${elevationId}`, 'latin1').toString('base64url');
}

export const DecisionBody = z.strictObject({ reason: Text.min(1).optional() });

/** Stored. `expired` and `ended` are what becomes of `requested` and `approved` by themselves. */
export type StoredState = 'requested' | 'approved' | 'rejected' | 'revoked';
export type ElevationState = StoredState | 'expired' | 'ended';

export interface Elevation {
  readonly elevationId: string;
  readonly accountId: string;
  /** Who stood behind the account when it asked, and who does now. */
  readonly requestedIdentity: string;
  readonly identity: string;
  /** Of the account, now. */
  readonly roles: readonly string[];
  /** Who has had the account's key in hand: whoever made it by the API, or changed its key. */
  readonly keyedBy: readonly string[];
  readonly scope: ElevatedScope;
  readonly reason: string;
  readonly durationSeconds: number;
  readonly state: StoredState;
  readonly requestedAt: Date;
  readonly requestExpiresAt: Date;
  /** `op:<uuid>`. */
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
  readonly decisionReason: string | null;
  readonly endsAt: Date | null;
  readonly revokedBy: string | null;
  readonly revokedAt: Date | null;
  readonly revocationReason: string | null;
}

/** An account, and who stands behind it. `id`: the uuid of `sub`. */
export interface Party {
  readonly id: string;
  readonly identity: string;
  readonly roles: readonly string[];
}

export interface Decision {
  readonly by: Party;
  readonly reason: string | undefined;
  readonly now: Date;
}

/** Whether the one asks for what the other asked for. */
export function asksTheSame(one: Elevation, other: Elevation): boolean {
  return (['accountId', 'scope', 'reason', 'durationSeconds'] as const).every((key) => one[key] === other[key]);
}

/** A new request. @throws DomainError `elevation.not_allowed` where no role of the account may ask for the scope */
export function requestElevation(
  by: Party,
  { scope, reason, duration_seconds: durationSeconds }: ElevationBody,
  { elevationId, now }: { readonly elevationId: string; readonly now: Date },
): Elevation {
  if (!mayRequest(by.roles, scope)) throw new DomainError('elevation.not_allowed', { detail: scope });
  return {
    elevationId,
    accountId: by.id,
    requestedIdentity: by.identity,
    identity: by.identity,
    roles: by.roles,
    keyedBy: [],
    scope,
    reason,
    durationSeconds,
    state: 'requested',
    requestedAt: now,
    requestExpiresAt: new Date(now.getTime() + REQUEST_SECONDS * 1000),
    decidedBy: null,
    decidedAt: null,
    decisionReason: null,
    endsAt: null,
    revokedBy: null,
    revokedAt: null,
    revocationReason: null,
  };
}

/** @throws DomainError `elevation.too_many` */
export function requireFewOpen(open: number): void {
  if (open >= MAX_OPEN_REQUESTS) throw new DomainError('elevation.too_many', { detail: `${open} wait for a decision` });
}

/** What the stored elevation is by now: requests and grants end by themselves. */
export function stateOf(
  { state, requestExpiresAt, endsAt }: Pick<Elevation, 'state' | 'requestExpiresAt' | 'endsAt'>,
  now: Date,
): ElevationState {
  if (state === 'requested' && requestExpiresAt <= now) return 'expired';
  if (state === 'approved' && (endsAt === null || endsAt <= now)) return 'ended';
  return state;
}

/**
 * The grant: it starts now, whenever it was asked for.
 * @throws DomainError `elevation.closed`; `elevation.same_person` for the account that asked, for every other one of whoever stands behind
 * it, and for whoever may hold its key
 */
export function approve(elevation: Elevation, { by, reason, now }: Decision): Elevation {
  requireState(elevation, ['requested'], now);
  const behind = [elevation.identity, elevation.requestedIdentity, ...elevation.keyedBy];
  const same = by.id === elevation.accountId || behind.includes(by.identity);
  if (same) throw new DomainError('elevation.same_person');
  const endsAt = new Date(now.getTime() + elevation.durationSeconds * 1000);
  return { ...elevation, state: 'approved', ...decided(by, reason, now), endsAt };
}

/** @throws DomainError `elevation.closed` */
export function reject(elevation: Elevation, { by, reason, now }: Decision): Elevation {
  requireState(elevation, ['requested'], now);
  return { ...elevation, state: 'rejected', ...decided(by, reason, now) };
}

/**
 * Withdraws a request, or ends a grant before its time. Once revoked it stays as it is: revoking again denies its tokens again.
 * @param others whether `by` may also end what is not its own
 * @throws DomainError `elevation.closed`, `auth.scope_insufficient`
 */
export function revoke(elevation: Elevation, { by, reason, now }: Decision, others: boolean): Elevation {
  if (by.id !== elevation.accountId && !others) {
    throw new DomainError('auth.scope_insufficient', { detail: "needs elevation:approve to end another's" });
  }
  if (elevation.state === 'revoked') return elevation;
  requireState(elevation, ['requested', 'approved'], now);
  return {
    ...elevation,
    state: 'revoked',
    revokedBy: `op:${by.id}`,
    revokedAt: now,
    revocationReason: reason ?? null,
  };
}

function decided({ id }: Party, reason: string | undefined, now: Date) {
  return { decidedBy: `op:${id}`, decidedAt: now, decisionReason: reason ?? null };
}

function requireState(elevation: Elevation, states: readonly ElevationState[], now: Date): void {
  const state = stateOf(elevation, now);
  if (!states.includes(state)) throw new DomainError('elevation.closed', { detail: `it is ${state}` });
}
