/** `device event | retire | history`: what happens to a vehicle in its life, and what happened. */
import { Argument, Command } from 'commander';
import { z } from 'zod';
import { inSession, type Session } from '../session.service.js';

const EVENTS = [
  'sale',
  'theft',
  'theft_ended',
  'workshop',
  'workshop_ended',
  'suspicion_ended',
  'scrapping',
  'ecu_swap',
];
const Entry = z.looseObject({ from: z.string().optional(), to: z.string() });
const Page = z.object({ items: z.array(Entry), next: z.string().nullish() });
const PAGE = 500;

interface ReportOptions {
  readonly reason: string;
  readonly ticket?: string;
  readonly ifVersion?: string;
}

export function eventCommand(): Command {
  return reporting(new Command('event'))
    .description('report what happened to a vehicle: a sale, a theft, the workshop, scrapping')
    .argument('<id>')
    .addArgument(new Argument('<event>').choices(EVENTS))
    .action((id: string, event: string, options: ReportOptions, command: Command) =>
      inSession(command, (session) => report(session, id, { event }, options, 'events')),
    );
}

export function retireCommand(): Command {
  return reporting(new Command('retire'))
    .description('take a device out of service for good')
    .argument('<id>')
    .action((id: string, options: ReportOptions, command: Command) =>
      inSession(command, (session) => report(session, id, {}, options, 'retire')),
    );
}

export function historyCommand(): Command {
  return new Command('history')
    .description('every change of a device: from, to, who, why; newest first')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const items: z.infer<typeof Entry>[] = [];
        let after: string | undefined;
        do {
          const path = `/v1/devices/${encodeURIComponent(id)}/history` as const;
          const page = Page.parse(await operator.call('provisioning', 'GET', path, { query: { limit: PAGE, after } }));
          items.push(...page.items);
          after = page.next ?? undefined;
        } while (after !== undefined);
        const rows = items.map(({ at, event, from, to, who, why, ticket }) => [at, event, from, to, who, why, ticket]);
        output.table({ items }, ['AT', 'EVENT', 'FROM', 'TO', 'WHO', 'WHY', 'TICKET'], rows);
      }),
    );
}

function reporting(command: Command): Command {
  return command
    .requiredOption('--reason <text>', 'for those who ask later')
    .option('--ticket <id>', 'of your own ticket system')
    .option('--if-version <n>', 'only if the device is at this version still');
}

async function report(
  { operator, output }: Session,
  id: string,
  what: object,
  { reason, ticket, ifVersion }: ReportOptions,
  route: 'events' | 'retire',
): Promise<void> {
  const headers: Record<string, string> = ifVersion === undefined ? {} : { 'if-match': `"${ifVersion}"` };
  const body = { ...what, reason, ...(ticket === undefined ? {} : { ticket }) };
  const path = `/v1/devices/${encodeURIComponent(id)}/${route}` as const;
  output.record((await operator.call('provisioning', 'POST', path, { body, headers })) as object);
}
