/** `block`, `unblock` and `blocks`: the gateway's reversible no, and how it came about. */
import { Command, Option } from 'commander';
import { z } from 'zod';
import { UsageError } from '../exit-code.js';
import { inSession } from '../session.service.js';
import { whole } from './options.js';

interface TargetOptions {
  readonly certificate?: string;
  readonly network?: string;
  readonly tokenId?: string;
}

interface BlockOptions extends TargetOptions {
  readonly thumbprint?: string;
  readonly reason?: string;
  readonly ticket?: string;
  readonly mode?: string;
  readonly expiresAt?: string;
  readonly expiresIn?: number;
}

interface UnblockOptions extends TargetOptions {
  readonly reason: string;
  readonly ticket?: string;
}

interface BlocksOptions extends TargetOptions {
  readonly device?: string;
  readonly kind?: string;
  readonly history?: boolean;
  readonly limit: number;
}

const Item = z.looseObject({ kind: z.string(), at: z.string() });
const Page = z.object({ items: z.array(Item), next: z.string().nullish() });

export function blockCommand(): Command {
  return withTargets(new Command('block'))
    .description('shut out a vehicle, a certificate, a network or a token; unblock lets it in again')
    .argument('[device]')
    .option('--thumbprint <text>', "with a device: must be one of its certificates'")
    .option('--reason <text>', 'for those who ask later')
    .option('--ticket <text>', 'where that is written up')
    .addOption(new Option('--mode <mode>', 'recovery leaves the way open to recover it').choices(['deny', 'recovery']))
    .option('--expires-in <seconds>', 'it lifts itself so much later', whole)
    .option('--expires-at <time>', 'it lifts itself then, e.g. 2026-12-24T18:00:00Z')
    .action((device: string | undefined, options: BlockOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const { thumbprint, reason, ticket, mode, expiresIn, expiresAt } = options;
        const about = { reason, ticket, mode, expires_in: expiresIn, expires_at: expiresAt };
        const body = { ...(thumbprint ? { thumbprint } : {}), ...targetOf(device, options), ...about };
        output.record((await operator.call('gateway', 'POST', '/admin/block', { body })) as object);
      }),
    );
}

export function unblockCommand(): Command {
  return withTargets(new Command('unblock'))
    .description('end a block')
    .argument('[device]')
    .requiredOption('--reason <text>', 'for those who ask later')
    .option('--ticket <text>', 'where that is written up')
    .action((device: string | undefined, options: UnblockOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const { reason, ticket } = options;
        const body = { ...targetOf(device, options), reason, ticket };
        output.record((await operator.call('gateway', 'POST', '/admin/unblock', { body })) as object);
      }),
    );
}

export function blocksCommand(): Command {
  return withTargets(new Command('blocks'))
    .description('what is blocked; with --history every change, the latest first')
    .addOption(new Option('--kind <kind>').choices(['device', 'certificate', 'network', 'token']))
    .option('--history', 'how it came about, also of what is lifted')
    .option('--device <id>', 'with --history: of this one; so --certificate, --network, --token-id')
    .option('--limit <n>', 'at most', whole, 100)
    .action((options: BlocksOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const { history, device, kind, limit } = options;
        const target = namedTargets(device, options);
        if (!history && Object.keys(target).length > 0) throw new UsageError('one target: with --history');
        const path = history ? '/v1/blocks/history' : '/v1/blocks';
        const query = history ? { ...target, limit } : { kind, limit };
        const page = Page.parse(await operator.call('gateway', 'GET', path, { query }));
        const rows = page.items.map((item) => [
          item.at,
          ...(history ? [item.blocked === true ? 'blocked' : 'lifted'] : []),
          item.kind,
          item.device_id ?? item.thumbprint ?? item.network ?? item.token_id,
          item.mode,
          item.expires_at,
          item.by,
          item.ticket,
          item.reason,
        ]);
        const head = [
          'AT',
          ...(history ? ['CHANGE'] : []),
          'KIND',
          'TARGET',
          'MODE',
          'UNTIL',
          'BY',
          'TICKET',
          'REASON',
        ];
        output.table(page, head, rows);
      }),
    );
}

function withTargets(command: Command): Command {
  return command
    .option('--certificate <thumbprint>', 'one certificate alone, instead of a vehicle')
    .option('--network <cidr>', 'an address or a network, instead of a vehicle')
    .option('--token-id <jti>', 'a token, by its jti in the decision log, instead of a vehicle');
}

function namedTargets(device: string | undefined, { certificate, network, tokenId }: TargetOptions) {
  return {
    ...(device ? { device_id: device } : {}),
    ...(certificate ? { thumbprint: certificate } : {}),
    ...(network ? { network } : {}),
    ...(tokenId ? { token_id: tokenId } : {}),
  };
}

function targetOf(device: string | undefined, options: TargetOptions) {
  const target = namedTargets(device, options);
  if (Object.keys(target).length !== 1)
    throw new UsageError('name one: a device, --certificate, --network or --token-id');
  return target;
}
