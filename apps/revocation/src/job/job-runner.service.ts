import { randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Backlogs, Database, isRetryableConflict } from '@outrider/platform/postgres';
import { LOGGER, Metrics, Schedule } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { isWide } from './job.js';
import { JobChunk } from './job-chunk.service.js';
import { JobLines } from './job-lines.repository.js';
import { Jobs, type StoredJob } from './jobs.repository.js';
import { WideTargets } from './wide-targets.client.js';

const EVERY_MS = 500;
const CLEAR_EVERY_MS = 60_000;
/** How long a job rests whose lines nobody could be asked about. */
const PAUSE_MS = 2000;

/**
 * Carries jobs out, a turn each in turn, so that none holds up another. What a turn changes is one transaction with the lines that it
 * settles; a replica that dies is followed by another when its lease is over.
 */
@Injectable()
export class JobRunner implements OnApplicationBootstrap {
  private readonly runner = randomUUID();
  private round: () => void = () => undefined;
  private again = false;
  private stopped = false;
  private readonly settledLines;

  constructor(
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly lines: JobLines,
    private readonly wide: WideTargets,
    private readonly chunk: JobChunk,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
    backlogs: Backlogs,
    metrics: Metrics,
  ) {
    backlogs.watch(
      'revocation_jobs',
      `SELECT coalesce(not_before, created_at) AS since FROM jobs
       WHERE state IN ('receiving', 'waiting', 'resolving', 'running') AND coalesce(not_before, created_at) <= now()`,
    );
    this.settledLines = metrics.counter('outrider_revocation_job_lines_total', 'Lines of revocation jobs settled.');
  }

  onApplicationBootstrap(): void {
    this.round = this.schedule.every(EVERY_MS, 'revocation jobs wait', () => this.run());
    this.schedule.every(CLEAR_EVERY_MS, 'revocation jobs are not cleared', () => this.jobs.clear());
  }

  beforeApplicationShutdown(): void {
    this.stopped = true;
  }

  /** There is something to do now. */
  kick(): void {
    this.again = true;
    this.round();
  }

  private async run(): Promise<void> {
    do {
      this.again = false;
      for (;;) {
        if (this.stopped) return;
        const job = await this.jobs.claim(this.runner);
        if (!job) break;
        await this.turn(job);
      }
    } while (this.again);
  }

  private async turn(job: StoredJob): Promise<void> {
    try {
      const rests = job.state === 'resolving' ? await this.resolve(job) : await this.work(job);
      await this.jobs.release(job.id, this.runner, rests ? PAUSE_MS : 0, rests ?? null);
    } catch (error) {
      const passes = (error instanceof DomainError && error.status >= 500) || isRetryableConflict(error);
      this.logger[passes ? 'warn' : 'error']({ err: error, job: job.id }, 'a revocation job rests');
      const trouble = error instanceof DomainError ? error.code : 'internal';
      await this.jobs.release(job.id, this.runner, PAUSE_MS, trouble).catch(() => undefined);
    }
  }

  /** A page of whom a wide target names, with where the next begins. */
  private async resolve(job: StoredJob): Promise<undefined> {
    if (!isWide(job.target)) return undefined;
    const { kind, values, next } = await this.wide.page(job.target, job.cursor ?? '');
    await this.database.transaction(async (tx) => {
      const held = await this.jobs.hold(tx, job, this.runner);
      if (!held) return;
      // A key itself comes first: what is made with it from then on is out from its beginning.
      const first =
        'key' in held.target && held.cursor === null ? [{ kind: 'key' as const, value: held.target.key }] : [];
      const named = [...first, ...values.map((value) => ({ kind, value }))];
      const lines = named.map((one, i) => ({ ...one, line: held.lines + i + 1 }));
      await this.lines.add(tx, job.id, lines);
      await this.jobs.resolved(tx, job.id, next, held.lines + lines.length);
    });
    return undefined;
  }

  /** @returns what it waits for, where nothing moved. */
  private async work(job: StoredJob): Promise<string | undefined> {
    const outcome = await this.chunk.work(job, this.runner);
    this.settledLines.inc(outcome.settled);
    if (outcome.settled > 0 || !outcome.isOver) return outcome.settled > 0 ? undefined : (outcome.trouble ?? 'waiting');
    const ended = await this.database.transaction(async (tx) => {
      const held = await this.jobs.hold(tx, job, this.runner);
      if (!held || (await this.lines.isAnyLeft(tx, job.id))) return undefined;
      await this.jobs.end(tx, job.id, 'done', held.counts);
      return held;
    });
    // What is left waits for an answer.
    if (!ended) return job.trouble ?? 'waiting';
    this.chunk.finished(job);
    this.logger.info({ job: job.id, counts: ended.counts }, 'a revocation job is done');
    return undefined;
  }
}
