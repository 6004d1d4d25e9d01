/** `revoke`: take certificates, keys or devices out of service; `release`: give back what was only on hold. */
import { Command } from 'commander';
import { z } from 'zod';
import { seconds } from '../command/seconds.js';
import { StillPending, UsageError } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';
import { Job } from './job.js';
import { follow, JOBS, sendFile } from './send-job.service.js';
import { isWide, names, requireTarget, type TargetOptions, wideTarget, withTargets } from './targets.js';

interface RevokeOptions extends TargetOptions {
  readonly reason?: string;
  readonly at?: string;
  readonly force: boolean;
  readonly waitEnforced: boolean;
}

interface ReleaseOptions extends TargetOptions {
  readonly waitEnforced: boolean;
}

const Enforcer = z.looseObject({
  instance: z.string(),
  ms: z.number().optional(),
  failsClosedAt: z.string().optional(),
});
const Name = z.looseObject({});
const Answer = z.looseObject({
  revoked: z.array(Name).optional(),
  released: z.array(Name).optional(),
  still_denied: z.array(z.looseObject({ kind: z.string(), value: z.string(), reason: z.string() })).default([]),
  waiting: z.array(z.looseObject({ id: z.string(), at: z.string() })).default([]),
  job: Job.optional(),
  enforcedBy: z.array(Enforcer).default([]),
  pending: z.array(Enforcer).default([]),
});
type Answer = z.infer<typeof Answer>;

export function revokeCommand(): Command {
  return withTargets(new Command('revoke'))
    .description('revoke a certificate, a key, a device or many; only a hold can be taken back')
    .option(
      '--reason <reason>',
      'required, but for --dry-run: of RFC 5280, e.g. key-compromise, superseded, certificate-hold',
    )
    .option('--at <time>', 'RFC 3339: then, and not now')
    .option('--force', 'deny what nobody knows, too', false)
    .option('--wait-enforced', 'until every running instance enforces it', false)
    .option('--wait [seconds]', 'of many: until the job is over (default 300)', seconds)
    .action((options: RevokeOptions, command: Command) => inSession(command, (session) => revoke(session, options)));
}

export function releaseCommand(): Command {
  return withTargets(new Command('release'))
    .description('give back what is on hold (certificate-hold), and nothing else')
    .option('--wait-enforced', 'until every running instance has it back', false)
    .option('--wait [seconds]', 'of many: until the job is over (default 300)', seconds)
    .action((options: ReleaseOptions, command: Command) => inSession(command, (session) => release(session, options)));
}

async function revoke(session: Session, options: RevokeOptions): Promise<void> {
  requireTarget(options);
  const { reason, at, force, note, dryRun, file, waitEnforced } = options;
  if (reason === undefined && !dryRun) throw new UsageError('say why: --reason, which only a --dry-run does without');
  if (file !== undefined) {
    const words = { action: 'revoke', reason, at, note, force: flag(force), dry_run: flag(dryRun) };
    return follow(session, await sendFile(session, file, words), options.wait);
  }
  const words = { reason, at, note, ...(force ? { force } : {}), ...(dryRun ? { dry_run: true } : {}) };
  const answer = Answer.parse(
    await session.operator.call('revocation', 'POST', '/revoke', {
      query: { wait: waitEnforced ? 'enforced' : undefined },
      body: { ...names(options), ...wideTarget(options), ...words },
      timeoutMs: 30_000,
    }),
  );
  if (answer.job) return follow(session, answer.job, options.wait);
  show(session, answer, answer.revoked ?? [], waitEnforced);
}

async function release(session: Session, options: ReleaseOptions): Promise<void> {
  requireTarget(options);
  const { note, dryRun, file, waitEnforced, wait } = options;
  if (file !== undefined) {
    const words = { action: 'release', note, dry_run: flag(dryRun) };
    return follow(session, await sendFile(session, file, words), wait);
  }
  const words = { note, ...(dryRun ? { dry_run: true } : {}) };
  if (isWide(options)) {
    const body = { action: 'release', ...names(options), ...wideTarget(options), ...words };
    return follow(session, Job.parse(await session.operator.call('revocation', 'POST', JOBS, { body })), wait);
  }
  const answer = Answer.parse(
    await session.operator.call('revocation', 'POST', '/v1/revocations/release', {
      query: { wait: waitEnforced ? 'enforced' : undefined },
      body: { ...names(options), ...words },
      timeoutMs: 30_000,
    }),
  );
  show(session, answer, answer.released ?? [], waitEnforced);
}

function show({ output }: Session, answer: Answer, done: readonly z.infer<typeof Name>[], waited: boolean): void {
  const { enforcedBy, pending, still_denied, waiting } = answer;
  if (output.json) output.record(answer);
  else {
    const rows = done.map((one) => [one.device_id, one.serial, one.thumbprint ?? one.key]);
    output.table(answer, ['DEVICE', 'SERIAL', 'THUMBPRINT'], rows);
    if (answer.dry_run) output.write('a dry run: nothing was changed');
    for (const { kind, value, reason } of still_denied) output.write(`still denied: ${kind} ${value}, ${reason}`);
    for (const { id, at } of waiting) output.write(`still to be revoked at ${at}: job ${id}`);
    for (const { instance, ms } of enforcedBy) output.write(`enforced by ${instance} after ${ms} ms`);
    for (const { instance, failsClosedAt } of pending) output.write(`pending: ${instance}, closed by ${failsClosedAt}`);
  }
  if (waited && pending.length > 0) throw new StillPending(`not confirmed by ${pending.length} of the instances`);
}

function flag(set: boolean | undefined): string | undefined {
  return set ? 'true' : undefined;
}
