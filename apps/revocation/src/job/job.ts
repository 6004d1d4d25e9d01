/** A revocation or a release that is work for a while, or for later: what it names, which state follows which, and how far it is. */
import type { RevocationReason } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { WideTarget } from '../revoke/revoke-request.js';

export const JOB_STATES = ['receiving', 'waiting', 'resolving', 'running', 'done', 'cancelled', 'failed'] as const;
/**
 * `receiving`: its file is on its way. `waiting`: for its time. `resolving`: whom a wide target names is being listed. `failed`: its
 * file never came whole.
 */
export type JobState = (typeof JOB_STATES)[number];

export type JobAction = 'revoke' | 'release';

/** `{"file": "csv"}`, the names as they were sent, or a wide target; a key is one where many certificates have it. */
export type JobTarget =
  | WideTarget
  | { readonly key: string }
  | { readonly file: LineFormat }
  | { readonly names: Readonly<Record<string, string>> };

export type LineFormat = 'csv' | 'ndjson';

export const LINE_KINDS = ['thumbprint', 'serial', 'device', 'key', 'invalid'] as const;
export type LineKind = (typeof LINE_KINDS)[number];

/** Beyond so many lines its entries go behind those of single revocations, and its lists are made once, at its end. */
export const BULK_ABOVE = 100;

/** What became of one line: `revoked` and `released` changed something, `unchanged` was so before. */
export const OUTCOMES = [
  'revoked',
  'released',
  'unchanged',
  'not_held',
  'unknown',
  'conflict',
  'forbidden',
  'invalid',
  'cancelled',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** How many lines came to what, and how many certificates, devices and keys changed by them (or would, in a dry run). */
export type JobCounts = Partial<Record<Outcome | 'certificates' | 'devices' | 'keys', number>>;

export interface Job {
  readonly id: string;
  readonly position: string;
  readonly action: JobAction;
  readonly target: JobTarget;
  readonly reason: RevocationReason | null;
  readonly note: string | null;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly state: JobState;
  readonly requestedBy: string;
  readonly elevation: string | null;
  readonly createdAt: Date;
  readonly notBefore: Date | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly finishedBy: string | null;
  readonly bodySha256: string | null;
  readonly cursor: string | null;
  readonly lines: number;
  readonly counts: JobCounts;
  readonly sequence: number;
  readonly trouble: string | null;
}

/** Whom a wide target names is listed when its time has come; what a file or names say is there already. */
export function isWide(target: JobTarget): target is WideTarget | { readonly key: string } {
  return !('file' in target) && !('names' in target);
}

/** The state of a job whose words are all there. */
export function readyState(target: JobTarget, notBefore: Date | null, now: Date): JobState {
  if (notBefore && notBefore > now) return 'waiting';
  return isWide(target) ? 'resolving' : 'running';
}

export function isOver(state: JobState): boolean {
  return state === 'done' || state === 'cancelled' || state === 'failed';
}

/** True where a cancel changes something: what is done stays done. @throws DomainError `revocation.job_closed` */
export function requireCancellable({ state }: Pick<Job, 'state'>): boolean {
  if (state === 'cancelled') return false;
  if (isOver(state)) throw new DomainError('revocation.job_closed', { detail: `it is ${state}` });
  return true;
}

/**
 * Whether one account may do so much by files within an hour without the elevation that a second person approves.
 * @throws DomainError `revocation.elevation_required`
 */
export function requireMayAlone(lines: number, before: number, aloneAtMost: number): void {
  if (lines + before <= aloneAtMost) return;
  throw new DomainError('revocation.elevation_required', {
    detail: `${lines} lines, and ${before} within the hour before; without ca:revoke-bulk ${aloneAtMost} at most`,
  });
}

export function addCounts(left: JobCounts, right: JobCounts): JobCounts {
  const sum: JobCounts = { ...left };
  for (const [key, n] of Object.entries(right) as [keyof JobCounts, number][]) sum[key] = (sum[key] ?? 0) + n;
  return sum;
}

/** The document of the operator API. */
export function jobDocument(job: Job) {
  const settled = OUTCOMES.reduce((sum, outcome) => sum + (job.counts[outcome] ?? 0), 0);
  const at = (name: string, date: Date | null) => (date ? { [name]: date.toISOString() } : {});
  return {
    id: job.id,
    action: job.action,
    target: job.target,
    ...(job.reason ? { reason: job.reason } : {}),
    ...(job.note ? { note: job.note } : {}),
    ...(job.dryRun ? { dry_run: true } : {}),
    state: job.state,
    lines: job.lines,
    settled,
    counts: job.counts,
    requested_by: job.requestedBy,
    ...(job.elevation ? { elevation: job.elevation } : {}),
    created_at: job.createdAt.toISOString(),
    ...at('at', job.notBefore),
    ...at('started_at', job.startedAt),
    ...at('finished_at', job.finishedAt),
    ...(job.finishedBy ? { finished_by: job.finishedBy } : {}),
    ...(job.trouble && !isOver(job.state) ? { trouble: job.trouble } : {}),
    ...(job.sequence > 0 ? { sequence: job.sequence } : {}),
  };
}
