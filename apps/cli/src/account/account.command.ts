/** `operator list | show | create | enable | disable | roles | key`: the accounts of people and of services; nobody changes their own. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { inSession } from '../session.service.js';

const Account = z.looseObject({
  sub: z.string(),
  client_id: z.string(),
  kind: z.string(),
  identity: z.string(),
  roles: z.array(z.string()),
  enabled: z.boolean(),
});
const Page = z.object({ items: z.array(Account), next: z.string().nullable() });

export function accountCommand(): Command {
  return new Command('operator')
    .description('accounts of operators: services by a key, people by signing in; nobody changes their own')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(createCommand())
    .addCommand(changeCommand('enable', 'switch the account on again', { enabled: true }))
    .addCommand(changeCommand('disable', 'switch the account off; its tokens are refused at once', { enabled: false }))
    .addCommand(rolesCommand())
    .addCommand(keyCommand());
}

function listCommand(): Command {
  return new Command('list')
    .description('accounts, by name')
    .option('--limit <n>', 'how many', '100')
    .option('--after <cursor>', 'go on behind this, the `next` of a page (--json)')
    .action(({ limit, after }: { limit: string; after?: string }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const page = Page.parse(await operator.call('token', 'GET', '/v1/operators', { query: { limit, after } }));
        const rows = page.items.map((one) => [
          one.client_id,
          one.kind,
          one.enabled ? 'on' : 'off',
          one.identity,
          one.roles.join(','),
          one.sub,
        ]);
        output.table(page, ['NAME', 'KIND', '', 'BEHIND IT', 'ROLES', 'SUB'], rows);
      }),
    );
}

function showCommand(): Command {
  return new Command('show')
    .description('one account')
    .argument('<sub>', 'op:<uuid>')
    .action((sub: string, _options: unknown, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        output.record((await operator.call('token', 'GET', pathOf(sub))) as object);
      }),
    );
}

interface CreateOptions {
  readonly identity: string;
  readonly roles: string;
  readonly publicKey: string;
}

function createCommand(): Command {
  return new Command('create')
    .description('make a service account, which signs by the private key of --public-key')
    .argument('<client-id>')
    .requiredOption('--identity <who>', 'who stands behind it: the same for all accounts of one person')
    .requiredOption('--roles <roles>', 'viewer, fleet-operator, ...; several with commas')
    .requiredOption('--public-key <file>', 'P-256, PEM: openssl ec -in account.key -pubout')
    .action((clientId: string, { identity, roles, publicKey }: CreateOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const key = await readFile(publicKey, 'utf8');
        const body = { client_id: clientId, identity, roles: roles.split(','), public_key: key };
        output.record((await operator.call('token', 'POST', '/v1/operators', { body })) as object);
      }),
    );
}

function changeCommand(name: string, description: string, body: object): Command {
  return new Command(name)
    .description(description)
    .argument('<sub>', 'op:<uuid>')
    .action((sub: string, _options: unknown, command: Command) => change(sub, body, command));
}

function rolesCommand(): Command {
  return new Command('roles')
    .description('give the account these roles in place of those it has')
    .argument('<sub>', 'op:<uuid>')
    .argument('<roles>', 'several with commas')
    .action((sub: string, roles: string, _options: unknown, command: Command) =>
      change(sub, { roles: roles.split(',') }, command),
    );
}

function keyCommand(): Command {
  return new Command('key')
    .description('give a service account another public key')
    .argument('<sub>', 'op:<uuid>')
    .argument('<file>', 'P-256, PEM')
    .action(async (sub: string, file: string, _options: unknown, command: Command) =>
      change(sub, { public_key: await readFile(file, 'utf8') }, command),
    );
}

function change(sub: string, body: object, command: Command): Promise<void> {
  return inSession(command, async ({ operator, output }) => {
    output.record((await operator.call('token', 'PATCH', pathOf(sub), { body })) as object);
  });
}

function pathOf(sub: string) {
  return `/v1/operators/${encodeURIComponent(sub)}` as const;
}
