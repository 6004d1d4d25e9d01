import { Injectable } from '@nestjs/common';
import type { RevocationReason } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { OperatorAttributes } from '@outrider/platform/policy';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { Job, JobAction, JobCounts, JobState, JobTarget } from './job.js';

/** How long a replica that died holds up a job. */
const LEASE = `interval '15 seconds'`;

const COLUMNS = `id, position, action, target, reason, note, force, dry_run AS "dryRun", state, requested_by AS "requestedBy",
  requested_as AS "requestedAs", elevation, created_at AS "createdAt", not_before AS "notBefore", started_at AS "startedAt",
  finished_at AS "finishedAt", finished_by AS "finishedBy", body_sha256 AS "bodySha256", cursor, lines, counts,
  sequence::float8 AS sequence, trouble`;

export type StoredJob = Job & { readonly requestedAs: OperatorAttributes };

export interface NewJob {
  readonly id: string;
  readonly action: JobAction;
  readonly target: JobTarget;
  readonly reason: RevocationReason | undefined;
  readonly note: string | undefined;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly state: JobState;
  readonly requestedBy: string;
  readonly requestedAs: OperatorAttributes;
  readonly elevation: string | undefined;
  readonly traceId: string | undefined;
  readonly createdAt: Date;
  readonly notBefore: Date | undefined;
  readonly bodySha256?: string;
}

export interface Progress {
  readonly counts: JobCounts;
  readonly sequence: number;
}

/** Jobs, and who is at which. */
@Injectable()
export class Jobs {
  constructor(private readonly database: Database) {}

  /** @returns false where the id is taken. `runner`: who is receiving its file. */
  async insert(tx: EntityManager, job: NewJob, runner?: string): Promise<boolean> {
    const rows = await tx.query(
      `INSERT INTO jobs (id, action, target, reason, note, force, dry_run, state, requested_by, requested_as, elevation,
         trace_id, created_at, not_before, runner, leased_until)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
         CASE WHEN $15::text IS NULL THEN NULL ELSE now() + ${LEASE} END)
       ON CONFLICT (id) DO NOTHING RETURNING id`,
      [
        job.id,
        job.action,
        JSON.stringify(job.target),
        job.reason ?? null,
        job.note ?? null,
        job.force,
        job.dryRun,
        job.state,
        job.requestedBy,
        JSON.stringify(job.requestedAs),
        job.elevation ?? null,
        job.traceId ?? null,
        job.createdAt,
        job.notBefore ?? null,
        runner ?? null,
      ],
    );
    return rows.length > 0;
  }

  async find(id: string): Promise<StoredJob | undefined> {
    const [row] = await this.database.query<StoredJob>(`SELECT ${COLUMNS} FROM jobs WHERE id = $1`, [id]);
    return row;
  }

  /** @throws DomainError `revocation.job_not_found` */
  async mustFind(id: string): Promise<StoredJob> {
    const found = await this.find(id);
    if (!found) throw new DomainError('revocation.job_not_found');
    return found;
  }

  /** @throws DomainError `revocation.job_not_found` */
  async mustLock(tx: EntityManager, id: string): Promise<StoredJob> {
    const [row]: StoredJob[] = await tx.query(`SELECT ${COLUMNS} FROM jobs WHERE id = $1 FOR UPDATE`, [id]);
    if (!row) throw new DomainError('revocation.job_not_found');
    return row;
  }

  /** Newest first, `before` a position. `of`: only those that are about one thing, by the names that they were given. */
  list(before: string | undefined, state: JobState | undefined, limit: number): Promise<StoredJob[]> {
    return this.database.query<StoredJob>(
      `SELECT ${COLUMNS} FROM jobs WHERE ($1::bigint IS NULL OR position < $1) AND ($2::text IS NULL OR state = $2)
       ORDER BY position DESC LIMIT $3`,
      [before ?? null, state ?? null, limit],
    );
  }

  /** Takes a job to work on: one that nobody is at, whose time has come, that waited longest. */
  claim(runner: string): Promise<StoredJob | undefined> {
    return this.database.transaction(async (tx) => {
      const [next]: { id: string }[] = await tx.query(
        `SELECT id FROM jobs
         WHERE (state IN ('resolving', 'running') OR (state = 'waiting' AND not_before <= now()))
           AND (leased_until IS NULL OR leased_until < now()) AND (resume_at IS NULL OR resume_at <= now())
         ORDER BY turn_at NULLS FIRST, position LIMIT 1 FOR UPDATE SKIP LOCKED`,
      );
      if (!next) return undefined;
      await tx.query(
        `UPDATE jobs SET runner = $2, leased_until = now() + ${LEASE}, turn_at = now(), resume_at = NULL,
           started_at = COALESCE(started_at, now()),
           state = CASE WHEN state <> 'waiting' THEN state WHEN target ?| ARRAY['file', 'names'] THEN 'running' ELSE 'resolving' END
         WHERE id = $1`,
        [next.id, runner],
      );
      return this.mustLock(tx, next.id);
    });
  }

  /** Locked for the rest of `tx`, where this runner still is the one at it. Undefined: it was cancelled, or another took it over. */
  async hold(tx: EntityManager, { id, state }: Job, runner: string): Promise<StoredJob | undefined> {
    const [row]: StoredJob[] = await tx.query(
      `SELECT ${COLUMNS} FROM jobs WHERE id = $1 AND runner = $2 AND state = $3 FOR UPDATE`,
      [id, runner, state],
    );
    return row;
  }

  /** A file's lines go on coming. @throws DomainError `revocation.job_receiving` where another took it over, or it was cancelled */
  async renew(tx: EntityManager, id: string, runner: string): Promise<void> {
    const result: [unknown, number] = await tx.query(
      `UPDATE jobs SET leased_until = now() + ${LEASE} WHERE id = $1 AND runner = $2 AND state = 'receiving'`,
      [id, runner],
    );
    if (result[1] === 0) throw new DomainError('revocation.job_receiving', { detail: id });
  }

  /** Lets go of it; `pauseMs`: nobody looks at it again before. An upload is left since then, and is given up by that. */
  async release(id: string, runner: string, pauseMs = 0, trouble: string | null = null): Promise<void> {
    await this.database.query(
      `UPDATE jobs SET leased_until = CASE WHEN state = 'receiving' THEN now() END, runner = NULL, trouble = $4,
         resume_at = CASE WHEN $3::int > 0 THEN now() + $3::int * interval '1 millisecond' END
       WHERE id = $1 AND runner = $2`,
      [id, runner, pauseMs, trouble],
    );
  }

  /** How far the list of whom it names has come; `cursor`: where the next page begins. */
  async resolved(tx: EntityManager, id: string, cursor: string | undefined, lines: number): Promise<void> {
    await tx.query(
      `UPDATE jobs SET cursor = $2, lines = $3,
         state = CASE WHEN $2::text IS NULL AND state = 'resolving' THEN 'running' ELSE state END WHERE id = $1`,
      [id, cursor ?? null, lines],
    );
  }

  async progress(tx: EntityManager, id: string, { counts, sequence }: Progress): Promise<void> {
    await tx.query('UPDATE jobs SET counts = $2, sequence = GREATEST(sequence, $3) WHERE id = $1', [
      id,
      JSON.stringify(counts),
      sequence,
    ]);
  }

  /** `by`: absent where it ended by itself. */
  async end(tx: EntityManager, id: string, state: JobState, counts: JobCounts, by?: string): Promise<void> {
    await tx.query(
      `UPDATE jobs SET state = $2, counts = $3, finished_at = now(), finished_by = $4, leased_until = NULL, runner = NULL
       WHERE id = $1`,
      [id, state, JSON.stringify(counts), by ?? null],
    );
  }

  /** A file is whole: its job may begin, and is as old as that (what an account does alone is counted by it). */
  async received(
    tx: EntityManager,
    id: string,
    { state, lines, counts, bodySha256 }: Pick<Job, 'state' | 'lines' | 'counts'> & { bodySha256: string },
  ): Promise<void> {
    await tx.query(
      `UPDATE jobs SET state = $2, lines = $3, counts = $4, body_sha256 = $5, created_at = now(), leased_until = NULL, runner = NULL
       WHERE id = $1`,
      [id, state, lines, JSON.stringify(counts), bodySha256],
    );
  }

  /** The same file is sent anew: it begins from its beginning, with the rights of who sends it now. @returns false where another is at it. */
  async receiveAgain(tx: EntityManager, job: NewJob, runner: string): Promise<boolean> {
    const result: [unknown, number] = await tx.query(
      `UPDATE jobs SET runner = $2, leased_until = now() + ${LEASE}, lines = 0, counts = '{}', requested_as = $3, elevation = $4,
         trace_id = $5, not_before = $6, note = $7
       WHERE id = $1 AND state = 'receiving' AND (leased_until IS NULL OR leased_until < now())`,
      [
        job.id,
        runner,
        JSON.stringify(job.requestedAs),
        job.elevation ?? null,
        job.traceId ?? null,
        job.notBefore ?? null,
        job.note ?? null,
      ],
    );
    return result[1] > 0;
  }

  /** Lines of files that an account sent within the hour, without an elevation; of a cancelled one those that were settled before. */
  async linesAlone(tx: EntityManager, requestedBy: string): Promise<number> {
    const [row]: { n: string }[] = await tx.query(
      `SELECT COALESCE(sum(GREATEST(lines - COALESCE((counts->>'cancelled')::int, 0), 0)), 0) AS n FROM jobs
       WHERE requested_by = $1 AND elevation IS NULL AND NOT dry_run
         AND target ? 'file' AND state NOT IN ('receiving', 'failed') AND created_at > now() - interval '1 hour'`,
      [requestedBy],
    );
    return Number(row?.n ?? 0);
  }

  /** What `runner` was receiving; nothing where another took it over, or it was received whole meanwhile. */
  async remove(tx: EntityManager, id: string, runner: string): Promise<void> {
    const held: unknown[] = await tx.query(
      `SELECT 1 FROM jobs WHERE id = $1 AND runner = $2 AND state = 'receiving' FOR UPDATE`,
      [id, runner],
    );
    if (held.length === 0) return;
    await tx.query('DELETE FROM job_lines WHERE job_id = $1', [id]);
    await tx.query('DELETE FROM jobs WHERE id = $1', [id]);
  }

  /** What is waiting for its time about one of these names, by the names as they were sent. */
  async waitingFor(tx: EntityManager, names: readonly string[]): Promise<{ id: string; at: Date }[]> {
    return tx.query(
      `SELECT j.id, j.not_before AS at FROM jobs j WHERE j.state = 'waiting' AND j.action = 'revoke' AND NOT j.dry_run
         AND EXISTS (SELECT 1 FROM job_lines l WHERE l.job_id = j.id AND l.value = ANY($1)) ORDER BY j.not_before LIMIT 20`,
      [names],
    );
  }

  /** Uploads that were given up end; of what is long over the lines go, the job stays. */
  async clear(): Promise<void> {
    await this.database.query(
      `UPDATE jobs SET state = 'failed', finished_at = now(), trouble = 'its file never came whole'
       WHERE state = 'receiving' AND COALESCE(leased_until, created_at) < now() - interval '1 hour'`,
    );
    await this.database.query(
      `DELETE FROM job_lines WHERE job_id IN (
         SELECT id FROM jobs WHERE state = 'failed' OR finished_at < now() - interval '30 days' LIMIT 10)`,
    );
  }
}
