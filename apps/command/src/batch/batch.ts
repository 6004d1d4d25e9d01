/** One command for many vehicles: who is meant, when a second operator must agree, and which state follows which. Time is an argument. */
import { DomainError } from '@outrider/errors';
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';
import type { Evidence, RequestedAs } from '../command/command.js';
import { type CheckedWords, CommandWords } from '../send/send-command.js';

/** How long a batch waits for its approval. */
export const APPROVAL_SECONDS = 3600;

/** The vehicles by their ids, or those in service that have all of the labels (a group is a label). */
export const Target = z.union([
  z.strictObject({ devices: z.array(DeviceId).min(1).max(100_000) }),
  z.strictObject({
    query: z.strictObject({
      labels: z.array(z.string().min(1).max(63)).min(1).max(8),
      states: z
        .array(z.enum(['registered', 'active', 'quarantined']))
        .min(1)
        .max(3)
        .default(['active']),
    }),
  }),
]);
export type Target = z.infer<typeof Target>;

/** As it is kept: of a list, how many it named. */
export type KeptTarget = { readonly devices: number } | Extract<Target, { query: unknown }>;

export const BatchRequest = z.strictObject({ ...CommandWords, target: Target });
export type BatchRequest = z.infer<typeof BatchRequest>;

export const ReasonBody = z.strictObject({ reason: z.string().trim().min(1).max(1000).optional() });

export const BATCH_STATES = [
  'awaiting_approval',
  'running',
  'done',
  'rejected',
  'expired',
  'cancelling',
  'cancelled',
] as const;
export type BatchState = (typeof BATCH_STATES)[number];

export interface Batch {
  readonly id: string;
  readonly name: string;
  readonly parameters: Record<string, unknown>;
  readonly critical: boolean;
  readonly target: KeptTarget;
  readonly matched: number;
  readonly state: BatchState;
  readonly requestedBy: string;
  /** Who stood behind the account when it asked; null of an older one that needed no approval. */
  readonly requestedIdentity: string | null;
  /** That person, and whoever may have held the account's key. */
  readonly requestedPeople: readonly string[];
  readonly requestedAs: RequestedAs;
  readonly evidence: Evidence;
  readonly createdAt: Date;
  readonly approvalExpiresAt: Date | null;
  readonly notBefore: Date | null;
  readonly expirySeconds: number;
  readonly timeoutSeconds: number;
  readonly startedAt: Date | null;
}

/** A batch that changed, and the line of its history that says so. */
export interface BatchStep {
  readonly batch: Batch;
  readonly who: string | null;
  readonly reason: string | null;
  readonly at: Date;
  readonly evidence: Evidence | null;
}

/** A step as it is kept. */
export interface BatchLine {
  readonly state: BatchState;
  readonly who: string | null;
  readonly reason: string | null;
  readonly at: Date;
  readonly evidence: Evidence | null;
}

export interface BatchContext {
  readonly id: string;
  readonly requestedBy: string;
  readonly requestedAs: RequestedAs;
  readonly evidence: Evidence;
  /** When the sender's token ends. */
  readonly until: Date;
  readonly now: Date;
}

/**
 * Above this many vehicles a second operator must agree: those of this batch, and those that the same people had their word on alone
 * within the window, so that many small batches come to no more than one large one.
 */
export function needsApproval(matched: number, sentAlone: number, approvalAbove: number): boolean {
  return matched + sentAlone > approvalAbove;
}

/** Who stands behind an account, and who else may hold its key. */
export interface Person {
  readonly identity: string;
  readonly keyedBy: readonly string[];
}

/** @returns everybody whose word a request of the account may be */
export function peopleOf({ identity, keyedBy }: Person): string[] {
  return [identity, ...keyedBy];
}

/** `waits`: for somebody else's word. The right to a critical command ends with its token, and with it the time for that word. */
export function openBatch(
  words: CheckedWords,
  target: Target,
  matched: number,
  { person, waits }: { readonly person: Person; readonly waits: boolean },
  { id, requestedBy, requestedAs, evidence, until, now }: BatchContext,
): BatchStep {
  const { kind, parameters, notBefore, expirySeconds, timeoutSeconds } = words;
  const waitUntil = new Date(now.getTime() + APPROVAL_SECONDS * 1000);
  const batch: Batch = {
    id,
    name: kind.name,
    parameters,
    critical: kind.critical,
    target: 'devices' in target ? { devices: target.devices.length } : target,
    matched,
    state: waits ? 'awaiting_approval' : 'running',
    requestedBy,
    requestedIdentity: person.identity,
    requestedPeople: peopleOf(person),
    requestedAs,
    evidence,
    createdAt: now,
    approvalExpiresAt: !waits ? null : kind.critical && until < waitUntil ? until : waitUntil,
    notBefore,
    expirySeconds,
    timeoutSeconds,
    startedAt: waits ? null : now,
  };
  return { batch, who: requestedBy, reason: null, at: now, evidence };
}

export interface BatchDecision {
  readonly by: string;
  readonly reason: string | undefined;
  readonly evidence: Evidence;
  readonly now: Date;
}

/**
 * @param identities who stands behind the accounts now; `sender`: also those who may hold its key
 * @throws DomainError `command.batch_closed`; `command.batch_same_person` for the sender's account, for every other one of whoever stands
 * behind it, and for whoever may hold its key
 */
export function approve(
  batch: Batch,
  identities: { readonly sender: readonly string[]; readonly approver: string },
  by: BatchDecision,
): BatchStep {
  requireWaiting(batch, by.now);
  const { sender, approver } = identities;
  if (by.by === batch.requestedBy || sender.includes(approver) || approver === batch.requestedIdentity)
    throw new DomainError('command.batch_same_person');
  return step({ ...batch, startedAt: by.now }, 'running', by);
}

/** @throws DomainError `command.batch_closed` */
export function reject(batch: Batch, by: BatchDecision): BatchStep {
  requireWaiting(batch, by.now);
  return step(batch, 'rejected', by);
}

/** What was not released yet is taken back. Undefined: that is under way, or done. @throws DomainError `command.batch_closed` */
export function cancel(batch: Batch, by: BatchDecision): BatchStep | undefined {
  if (batch.state === 'cancelling' || batch.state === 'cancelled') return undefined;
  if (!['awaiting_approval', 'running', 'done'].includes(batch.state)) throw closed(batch.state);
  return step(batch, 'cancelling', by);
}

/** What time and work alone do. `left`: vehicles that have no command yet; for one that is being cancelled, commands that can be taken back. */
export function settle(batch: Batch, left: number, now: Date): BatchStep | undefined {
  const by = (reason: string | null) => ({ who: null, reason, at: now, evidence: null });
  if (batch.state === 'awaiting_approval')
    return isOverdue(batch, now)
      ? { batch: { ...batch, state: 'expired' }, ...by('nobody approved it in time') }
      : undefined;
  if (left > 0) return undefined;
  if (batch.state === 'running') return { batch: { ...batch, state: 'done' }, ...by(null) };
  return batch.state === 'cancelling' ? { batch: { ...batch, state: 'cancelled' }, ...by(null) } : undefined;
}

/** When a vehicle that has no command yet gets none any more. */
export function sendUntil({ startedAt, createdAt, notBefore, expirySeconds }: Batch): Date {
  const from = Math.max((startedAt ?? createdAt).getTime(), notBefore?.getTime() ?? 0);
  return new Date(from + expirySeconds * 1000);
}

/** The document of the operator API. */
export function batchDocument(batch: Batch) {
  const { id, name, parameters, critical, target, matched, state, requestedBy, expirySeconds, timeoutSeconds } = batch;
  const at = (key: string, date: Date | null) => (date ? { [key]: date.toISOString() } : {});
  return {
    id,
    name,
    parameters,
    critical,
    target,
    matched,
    state,
    requested_by: requestedBy,
    created_at: batch.createdAt.toISOString(),
    ...at('approval_expires_at', batch.approvalExpiresAt),
    ...at('started_at', batch.startedAt),
    ...at('not_before', batch.notBefore),
    expires_in: expirySeconds,
    timeout: timeoutSeconds,
  };
}

function requireWaiting(batch: Batch, now: Date): void {
  if (batch.state !== 'awaiting_approval') throw closed(batch.state);
  if (isOverdue(batch, now)) throw closed('expired');
}

function isOverdue({ approvalExpiresAt }: Batch, now: Date): boolean {
  return approvalExpiresAt !== null && approvalExpiresAt <= now;
}

function step(batch: Batch, state: BatchState, { by, reason, evidence, now }: BatchDecision): BatchStep {
  return { batch: { ...batch, state }, who: by, reason: reason ?? null, at: now, evidence };
}

function closed(state: string): DomainError {
  return new DomainError('command.batch_closed', { detail: `it is ${state}` });
}
