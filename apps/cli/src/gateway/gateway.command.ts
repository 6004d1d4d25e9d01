/** `block`, `unblock` and `decisions`: the gateway's reversible no, and the log of every no. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { inSession } from '../session.service.js';

const Decision = z.looseObject({});
const Page = z.object({ items: z.array(Decision), next: z.string().nullish() });

interface BlockOptions {
  readonly thumbprint?: string;
  readonly reason?: string;
  readonly mode?: string;
}

interface DecisionsOptions {
  readonly device?: string;
  readonly code?: string;
  readonly service?: string;
  readonly limit: number;
  readonly all?: boolean;
}

export function blockCommand(): Command {
  return new Command('block')
    .description('quarantine a device; unblock takes it back')
    .argument('<device>')
    .option('--thumbprint <text>', 'must be one of its certificates')
    .option('--reason <text>', 'for those who ask later')
    .addOption(new Option('--mode <mode>', 'recovery leaves the way open to recover it').choices(['deny', 'recovery']))
    .action((device: string, options: BlockOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const body = { device_id: device, ...options };
        output.record((await operator.call('gateway', 'POST', '/admin/block', { body })) as object);
      }),
    );
}

export function unblockCommand(): Command {
  return new Command('unblock')
    .description('end a block')
    .argument('<device>')
    .requiredOption('--reason <text>', 'for those who ask later')
    .action((device: string, { reason }: { reason: string }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const body = { device_id: device, reason };
        output.record((await operator.call('gateway', 'POST', '/admin/unblock', { body })) as object);
      }),
    );
}

export function decisionsCommand(): Command {
  return new Command('decisions')
    .description('what was refused, and why')
    .option('--device <id>')
    .option('--code <code>', 'e.g. auth.token_binding_mismatch')
    .option('--service <name>')
    .option('--limit <n>', 'at most', whole, 50)
    .option('--all', 'what was allowed, too')
    .action((options: DecisionsOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const { device, code, service, limit, all } = options;
        const query = { device, code, service, limit, decision: all ? undefined : 'deny' };
        const page = Page.parse(await operator.call('gateway', 'GET', '/v1/decisions', { query }));
        const rows = page.items.map((item) => [
          item.at ?? item.first_at ?? item.time,
          item.service,
          item.decision ?? item.effect,
          item.code,
          item.device_id ?? item.device,
          item.count,
        ]);
        output.table(page, ['AT', 'SERVICE', 'DECISION', 'CODE', 'DEVICE', 'COUNT'], rows);
      }),
    );
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0');
  return value;
}
