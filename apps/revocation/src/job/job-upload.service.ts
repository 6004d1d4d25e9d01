import { createHash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import type { Config } from '../config.js';
import { parseReason } from '../revoke/reason.js';
import { type Job, type LineFormat, readyState, requireMayAlone } from './job.js';
import { type JobLine, JobLineReader } from './job-lines.js';
import { JobLines } from './job-lines.repository.js';
import { type FileQuery, requireFitting, timeOf } from './job-request.js';
import { JobRunner } from './job-runner.service.js';
import { Jobs, type NewJob, type StoredJob } from './jobs.repository.js';
import { type Operator, requesterOf } from './jobs.service.js';
import { textLines } from './text-lines.js';

export const MAX_LINES = 100_000;
const BATCH = 1000;

/** Receives the file of a job, line by line, never whole; nothing of it happens before all of it is there. */
@Injectable()
export class JobUpload {
  constructor(
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly lines: JobLines,
    private readonly runner: JobRunner,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * The same id with the same words and the same file again, by the same account, is the same job, whatever has become of it; a file that was cut off begins
   * anew.
   * @throws DomainError `revocation.job_conflict`, `revocation.job_receiving`, `revocation.elevation_required`, `request.malformed`,
   * `request.too_large`
   */
  async receive(
    id: string,
    format: LineFormat,
    query: FileQuery,
    body: AsyncIterable<Uint8Array>,
    operator: Operator,
    now: Date,
  ): Promise<Job> {
    requireFitting(query.action, query);
    const job: NewJob = {
      id,
      action: query.action,
      target: { file: format },
      reason: query.action === 'revoke' ? parseReason(query.reason) : undefined,
      note: query.note,
      force: query.force ?? false,
      dryRun: query.dry_run ?? false,
      state: 'receiving',
      createdAt: now,
      notBefore: timeOf(query.at, now),
      ...requesterOf(operator),
    };
    const receiver = randomUUID();
    const known = await this.begin(job, receiver);
    const hash = createHash('sha256');
    const counted = tapped(body, (chunk) => hash.update(chunk));
    if (known) return this.compare(known, counted, () => hash.digest('hex'));
    try {
      const taken = await this.takeAll(id, format, counted, receiver);
      await this.finish(job, taken, hash.digest('hex'), receiver);
    } catch (error) {
      await this.letGo(id, receiver, error);
      throw error;
    }
    this.runner.kick();
    return this.jobs.mustFind(id);
  }

  /** @returns the job that was received whole before. */
  private async begin(job: NewJob, receiver: string): Promise<StoredJob | undefined> {
    return this.database.transaction(async (tx) => {
      if (await this.jobs.insert(tx, job, receiver)) return undefined;
      const known = await this.jobs.mustLock(tx, job.id);
      if (!isSame(known, job)) throw new DomainError('revocation.job_conflict', { detail: job.id });
      if (known.state !== 'receiving') return known;
      if (!(await this.jobs.receiveAgain(tx, job, receiver)))
        throw new DomainError('revocation.job_receiving', { detail: job.id, retryAfterSeconds: 15 });
      await this.lines.clear(tx, job.id);
      return undefined;
    });
  }

  private async compare(known: StoredJob, body: AsyncIterable<Uint8Array>, digest: () => string): Promise<Job> {
    for await (const _ of body);
    if (known.bodySha256 !== digest())
      throw new DomainError('revocation.job_conflict', { detail: 'another file was sent under this id' });
    return known;
  }

  private async takeAll(
    id: string,
    format: LineFormat,
    body: AsyncIterable<Uint8Array>,
    receiver: string,
  ): Promise<{ lines: number; invalid: number }> {
    const reader = new JobLineReader(format);
    let batch: JobLine[] = [];
    let [lines, invalid] = [0, 0];
    const flush = async () => {
      const some = batch;
      batch = [];
      await this.database.transaction(async (tx) => {
        await this.jobs.renew(tx, id, receiver);
        await this.lines.add(tx, id, some);
      });
    };
    for await (const { number, text } of textLines(Readable.from(body))) {
      const line = reader.read(number, text);
      if (!line) continue;
      lines += 1;
      if (line.kind === 'invalid') invalid += 1;
      if (lines > MAX_LINES) throw new DomainError('request.too_large', { detail: `at most ${MAX_LINES} lines` });
      batch.push(line);
      if (batch.length === BATCH) await flush();
    }
    await flush();
    return { lines, invalid };
  }

  private async finish(
    job: NewJob,
    { lines, invalid }: { lines: number; invalid: number },
    bodySha256: string,
    receiver: string,
  ): Promise<void> {
    await this.database.transaction(async (tx) => {
      // One at a time an account: what it does alone is counted.
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.jobs' || $1, 0))`, [
        job.requestedBy,
      ]);
      await this.jobs.renew(tx, job.id, receiver);
      if (!job.elevation && !job.dryRun)
        requireMayAlone(lines, await this.jobs.linesAlone(tx, job.requestedBy), this.config.jobs.aloneAtMost);
      const state = readyState(job.target, job.notBefore ?? null, new Date());
      const counts = invalid > 0 ? { invalid } : {};
      await this.jobs.received(tx, job.id, { state, lines, counts, bodySha256 });
    });
  }

  /** One that was cut off may be sent again; one that is refused is gone. */
  private async letGo(id: string, receiver: string, error: unknown): Promise<void> {
    const refused = error instanceof DomainError && error.status < 500 && error.code !== 'revocation.job_receiving';
    const cutOff = error instanceof DomainError && ['request.timeout', 'request.malformed'].includes(error.code);
    if (refused && !cutOff)
      await this.database.transaction((tx) => this.jobs.remove(tx, id, receiver)).catch(() => undefined);
    else await this.jobs.release(id, receiver).catch(() => undefined);
  }
}

/** Who asks, and the words; the file itself is compared when it has come. */
function isSame(known: StoredJob, job: NewJob): boolean {
  const words = ({ requestedBy, action, reason, force, dryRun, target }: StoredJob | NewJob) =>
    JSON.stringify([requestedBy, action, reason ?? null, force, dryRun, target]);
  return words(known) === words(job);
}

async function* tapped(body: AsyncIterable<Uint8Array>, tap: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    tap(chunk);
    yield chunk;
  }
}
