import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromUser } from '../endpoints/endpoints.store.js';
import { StillPending, UsageError } from '../exit-code.js';
import type { Session } from '../session.service.js';
import { Job, missed, OVER, progressLine } from './job.js';
import { jobId } from './job-id.js';

export const JOBS = '/v1/revocations/jobs';
const AGAIN_MS = 500;
const UPLOAD_MS = 10 * 60_000;
const WAIT_SECONDS = 300;
const TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  ndjson: 'application/x-ndjson',
  jsonl: 'application/x-ndjson',
};

/** Sends a file as a job: the same file with the same words again goes on, or says what came of it. */
export async function sendFile(
  { operator }: Session,
  file: string,
  words: Readonly<Record<string, string | undefined>>,
): Promise<Job> {
  const type = TYPES[/\.([a-z]+)$/i.exec(file)?.[1]?.toLowerCase() ?? ''];
  if (!type) throw new UsageError(`${file}: named neither .csv nor .ndjson`);
  const path = fromUser(file);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const id = jobId(hash.digest('hex'), words);
  const { size } = await stat(path);
  const stream = { body: createReadStream(path), type, bytes: size };
  return Job.parse(
    await operator.call('revocation', 'PUT', `${JOBS}/${id}`, { stream, query: words, timeoutMs: UPLOAD_MS }),
  );
}

/** Shows a job; with `wait` when it is over. Exits with 1 where lines did not become what was asked for. */
export async function follow(session: Session, first: Job, wait: number | true | undefined): Promise<void> {
  const { operator, output } = session;
  let job = first;
  const end = Date.now() + (wait === true ? WAIT_SECONDS : (wait ?? 0)) * 1000;
  let told = '';
  while (wait !== undefined && !OVER.includes(job.state) && Date.now() < end) {
    const line = progressLine(job);
    if (!output.json && line !== told) output.write(line);
    told = line;
    await sleep(AGAIN_MS);
    job = Job.parse(await operator.call('revocation', 'GET', `${JOBS}/${job.id}`));
  }
  if (output.json) output.record(job);
  else
    output.record({
      ...job,
      target: JSON.stringify(job.target),
      counts: JSON.stringify(job.counts),
      pending: undefined,
    });
  if (wait === undefined) return;
  if (!OVER.includes(job.state)) throw new StillPending(progressLine(job));
  const lost = missed(job);
  if (lost > 0) throw new Error(`${lost} of ${job.lines} lines came to nothing: outrider revocations lines ${job.id}`);
}
