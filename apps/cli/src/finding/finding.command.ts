/** `finding list`: what points to a second holder of a key or an identity. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { inSession } from '../session.service.js';

const Page = z.object({ items: z.array(z.looseObject({})), next: z.string().nullish() });
const KINDS = [
  'key_reused',
  'identity_in_two_places',
  'overlapping_renewals',
  'factory_certificate_while_live',
  'revoked_identity_used',
];

interface ListOptions {
  readonly device?: string;
  readonly kind?: string;
  readonly certain?: boolean;
  readonly limit: number;
}

export function findingCommand(): Command {
  const list = new Command('list')
    .description('findings of clone detection, the newest first')
    .option('--device <id>')
    .addOption(new Option('--kind <kind>').choices(KINDS))
    .option('--certain', 'only what no vehicle does by itself')
    .option('--limit <n>', 'at most', whole, 100)
    .action(({ device, kind, certain, limit }: ListOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const query = { device, kind, certain: certain ? 'true' : undefined, limit };
        const page = Page.parse(await operator.call('provisioning', 'GET', '/v1/findings', { query }));
        const rows = page.items.map((one) => [
          one.at,
          one.kind,
          one.device_id,
          one.certain ? 'certain' : 'suspicious',
          one.quarantined ? 'quarantined' : '',
          one.remote_addresses,
          one.detail,
        ]);
        output.table(page, ['AT', 'KIND', 'DEVICE', 'HOW SURE', 'DONE', 'FROM', 'WHAT'], rows);
      }),
    );
  return new Command('finding').description('what points to a clone').addCommand(list);
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0');
  return value;
}
