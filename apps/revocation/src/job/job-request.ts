/** What opens a revocation job: wide names, names for later, or the words beside a file. */
import { DomainError } from '@outrider/errors';
import { z } from 'zod';
import { orAbsent, RevokeBody } from '../revoke/revoke-request.js';
import { JOB_STATES, type JobAction, OUTCOMES } from './job.js';

/** As far ahead as anyone plans: a year is a slip of the pen. */
const FURTHEST_MS = 400 * 24 * 3600 * 1000;

export const JobId = z.uuid();

export const JobBody = RevokeBody.extend({ action: z.enum(['revoke', 'release']).default('revoke') });
export type JobBody = z.output<typeof JobBody>;

const Flag = orAbsent(z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1'));

export const FileQuery = z.strictObject({
  action: z.enum(['revoke', 'release']).default('revoke'),
  reason: orAbsent(z.string().max(64)),
  at: orAbsent(z.iso.datetime({ offset: true })),
  note: orAbsent(z.string().max(500)),
  force: Flag,
  dry_run: Flag,
});
export type FileQuery = z.output<typeof FileQuery>;

const Cursor = z.string().regex(/^\d{1,18}$/);

export const JobsQuery = z.strictObject({
  state: z.enum(JOB_STATES).optional(),
  after: Cursor.optional(),
  before: Cursor.optional().describe('The former name of `after`.'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

export const JobLinesQuery = z.strictObject({
  outcome: z.enum([...OUTCOMES, 'left']).optional(),
  after: z.coerce.number().int().min(0).max(1_000_000_000).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
});

/** Undefined where it is now. @throws DomainError `request.invalid` beyond some 400 days */
export function timeOf(at: string | undefined, now: Date): Date | undefined {
  if (at === undefined) return undefined;
  const time = new Date(at);
  if (time.getTime() > now.getTime() + FURTHEST_MS)
    throw new DomainError('request.invalid', { detail: 'at: more than 400 days ahead' });
  return time > now ? time : undefined;
}

/** A release has no reason, and none but a revocation is forced. @throws DomainError `request.invalid` */
export function requireFitting(
  action: JobAction,
  words: { reason?: string | undefined; force?: boolean | undefined },
): void {
  if (action === 'release' && (words.reason !== undefined || words.force))
    throw new DomainError('request.invalid', { detail: 'a release has neither reason nor force' });
}
