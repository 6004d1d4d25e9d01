/** `elevation request | list | show | approve | reject | revoke`: rights for a reason and a time; `--elevation ID` uses one. */
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { inSession } from '../session.service.js';

const Elevation = z.looseObject({ elevation_id: z.string() });
const Page = z.object({ items: z.array(Elevation), next: z.string().nullish() });

interface RequestOptions {
  readonly scope: string;
  readonly reason: string;
  readonly minutes: number;
}

export function elevationCommand(): Command {
  return new Command('elevation')
    .description(
      'rights that nobody holds for good: asked for by one, approved by somebody else who has just signed in',
    )
    .addCommand(requestCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(stepCommand('approve', 'grant it, from now on; needs a sign-in with two factors (login --as)'))
    .addCommand(stepCommand('reject', 'refuse it'))
    .addCommand(stepCommand('revoke', 'withdraw a request, or end a grant and the tokens by it'));
}

function requestCommand(): Command {
  return new Command('request')
    .description('ask for a right')
    .requiredOption('--scope <scope>', 'command:send-critical, ca:revoke-bulk or policy:write')
    .requiredOption('--reason <text>', 'for who decides, and for those who ask later; ten characters at least')
    .option('--minutes <n>', 'how long the grant is to last', minutes, 15)
    .action(({ scope, reason, minutes: length }: RequestOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const body = { scope, reason, duration_seconds: length * 60 };
        output.record((await operator.call('token', 'POST', '/v1/elevations', { body })) as object);
      }),
    );
}

function listCommand(): Command {
  return new Command('list')
    .description('elevations, newest first')
    .option('--limit <n>', 'how many', '50')
    .option('--after <cursor>', 'go on behind this, the `next` of a page (--json)')
    .action(({ limit, after }: { limit: string; after?: string }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const page = Page.parse(await operator.call('token', 'GET', '/v1/elevations', { query: { limit, after } }));
        const rows = page.items.map((one) => [
          one.elevation_id,
          one.scope,
          one.state,
          one.identity,
          one.requested_at,
          one.ends_at ?? '',
          one.reason,
        ]);
        output.table(page, ['ELEVATION', 'SCOPE', 'STATE', 'FOR', 'REQUESTED', 'ENDS', 'REASON'], rows);
      }),
    );
}

function showCommand(): Command {
  return new Command('show')
    .description('one elevation and its history')
    .argument('<elevation>')
    .action((elevation: string, _options: unknown, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const path = `/v1/elevations/${encodeURIComponent(elevation)}` as const;
        output.record((await operator.call('token', 'GET', path)) as object);
      }),
    );
}

function stepCommand(step: 'approve' | 'reject' | 'revoke', description: string): Command {
  return new Command(step)
    .description(description)
    .argument('<elevation>')
    .option('--reason <text>', 'for those who ask later')
    .action((elevation: string, { reason }: { reason?: string }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const path = `/v1/elevations/${encodeURIComponent(elevation)}/${step}` as const;
        output.record((await operator.call('token', 'POST', path, { body: { reason } })) as object);
      }),
    );
}

function minutes(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('a number of minutes');
  return Number(text);
}
