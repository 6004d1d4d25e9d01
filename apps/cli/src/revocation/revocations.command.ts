/** `revocations ...`: what was revoked and released, and the jobs of many and for later. */
import { Command } from 'commander';
import { z } from 'zod';
import { seconds } from '../command/seconds.js';
import { inSession } from '../session.service.js';
import { Job, progressLine } from './job.js';
import { follow, JOBS } from './send-job.service.js';

const Page = z.looseObject({ items: z.array(z.looseObject({})), next: z.string().nullish() });
const JobPage = z.looseObject({ items: z.array(Job), next: z.string().nullish() });
const PAGE = 500;

interface ListOptions {
  readonly device?: string;
  readonly serial?: string;
  readonly thumbprint?: string;
  readonly reason?: string;
  readonly status?: string;
  readonly limit: number;
}

export function revocationsCommand(): Command {
  const revocations = new Command('revocations').description('what was revoked, and the jobs that revoke');
  for (const each of [listCommand(), jobsCommand(), jobCommand(), linesCommand(), cancelCommand()])
    revocations.addCommand(each);
  return revocations;
}

function listCommand(): Command {
  return new Command('list')
    .description('revocations of certificates, newest first')
    .option('--device <id>')
    .option('--serial <hex>')
    .option('--thumbprint <text>')
    .option('--reason <reason>', 'in its ASN.1 spelling, e.g. keyCompromise')
    .option('--status <status>', 'standing, or released: holds that are over')
    .option('--limit <n>', 'how many', Number, 50)
    .action(({ device, ...query }: ListOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const items: z.infer<typeof Page>['items'] = [];
        let after: string | undefined;
        do {
          const limit = Math.min(PAGE, query.limit - items.length);
          const asked = { ...query, device_id: device, limit, after };
          const page = Page.parse(await operator.call('revocation', 'GET', '/v1/revocations', { query: asked }));
          items.push(...page.items);
          after = page.next ?? undefined;
        } while (after !== undefined && items.length < query.limit);
        const rows = items.map((one) => [one.revoked_at, one.device_id, one.serial, one.reason, one.released_at]);
        output.table({ items }, ['REVOKED', 'DEVICE', 'SERIAL', 'REASON', 'RELEASED'], rows);
      }),
    );
}

function jobsCommand(): Command {
  return new Command('jobs')
    .description('jobs, newest first; with --state waiting: the schedule')
    .option('--state <state>', 'receiving, waiting, resolving, running, done, cancelled or failed')
    .option('--limit <n>', 'how many', Number, 20)
    .action((query: { state?: string; limit: number }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const answer = JobPage.parse(await operator.call('revocation', 'GET', JOBS, { query: { ...query } }));
        const rows = answer.items.map((job) => [
          job.id,
          job.at ?? job.created_at,
          job.action,
          JSON.stringify(job.target),
          progressLine(job),
        ]);
        output.table(answer, ['ID', 'AT', 'ACTION', 'TARGET', 'PROGRESS'], rows);
      }),
    );
}

function jobCommand(): Command {
  return new Command('job')
    .description('one job, and how far it is')
    .argument('<id>')
    .option('--wait [seconds]', 'until it is over (default 300)', seconds)
    .action((id: string, { wait }: { wait?: number | true }, command: Command) =>
      inSession(command, async (session) => {
        const job = Job.parse(await session.operator.call('revocation', 'GET', `${JOBS}/${encodeURIComponent(id)}`));
        await follow(session, job, wait);
      }),
    );
}

function linesCommand(): Command {
  return new Command('lines')
    .description('what came of each line of a job')
    .argument('<id>')
    .option('--outcome <outcome>', 'e.g. unknown, invalid, unchanged, not_held, left')
    .action((id: string, { outcome }: { outcome?: string }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        let after: string | undefined;
        do {
          const path = `${JOBS}/${encodeURIComponent(id)}/lines` as const;
          const query = { outcome, after, limit: PAGE };
          const page = Page.parse(await operator.call('revocation', 'GET', path, { query }));
          for (const one of page.items) {
            const name = one.thumbprint ?? one.serial ?? one.device_id ?? one.key ?? one.invalid;
            output.item(one, [one.line, name, one.outcome, one.detail]);
          }
          after = page.next ?? undefined;
        } while (after !== undefined);
      }),
    );
}

function cancelCommand(): Command {
  return new Command('cancel')
    .description('end a job, or a schedule; what was done stays done')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) =>
      inSession(command, async (session) => {
        const path = `${JOBS}/${encodeURIComponent(id)}/cancel` as const;
        await follow(session, Job.parse(await session.operator.call('revocation', 'POST', path)), undefined);
      }),
    );
}
