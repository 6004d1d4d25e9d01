/** `person show | password | recovery-codes | remove-totp | rename-key | remove-key`: one's own password and second factors, after `login`. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { UsageError } from '../exit-code.js';
import { hidden } from '../login/hidden.client.js';
import { inSession } from '../session.service.js';

export function personCommand(): Command {
  return new Command('person')
    .description(
      'one’s own password and second factors; sign in first: login --as NAME, not more than five minutes ago',
    )
    .addCommand(showCommand())
    .addCommand(passwordCommand())
    .addCommand(recoveryCommand())
    .addCommand(
      changeCommand('remove-totp', 'take the authenticator app away; the last factor stays', 'DELETE', () => 'totp'),
    )
    .addCommand(renameCommand())
    .addCommand(
      changeCommand('remove-key', 'take a security key away; the last factor stays', 'DELETE', keyPath).argument(
        '<key>',
        'its id, of person show',
      ),
    );
}

function showCommand(): Command {
  return new Command('show').description('name, roles and factors').action((_options: unknown, command: Command) =>
    inSession(command, async ({ operator, output }) => {
      output.record((await operator.call('token', 'GET', '/v1/person')) as object);
    }),
  );
}

interface PasswordOptions {
  readonly currentFile?: string;
  readonly newFile?: string;
}

function passwordCommand(): Command {
  return new Command('password')
    .description('another password; ends every other sign-in. Asks for both, or takes them from files')
    .option('--current-file <file>', 'with the current password')
    .option('--new-file <file>', 'with the new one')
    .action(({ currentFile, newFile }: PasswordOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const current = await textOf(currentFile, 'Current password: ');
        const next = await textOf(newFile, 'New password: ');
        if (!newFile && next !== (await hidden('New password, again: '))) throw new UsageError('not the same twice');
        const body = { current_password: current, new_password: next };
        await operator.call('token', 'POST', '/v1/person/password', { body });
        output.write(output.json ? '{}' : 'changed; every other sign-in is over');
      }),
    );
}

function recoveryCommand(): Command {
  return new Command('recovery-codes')
    .description('ten new recovery codes, shown this once; those before end')
    .action((_options: unknown, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const body = {};
        const answer = (await operator.call('token', 'POST', '/v1/person/recovery-codes', { body })) as {
          codes: string[];
        };
        output.write(output.json ? JSON.stringify(answer) : answer.codes.join('\n'));
      }),
    );
}

function renameCommand(): Command {
  return new Command('rename-key')
    .description('call a security key otherwise')
    .argument('<key>', 'its id, of person show')
    .argument('<name>')
    .action((key: string, name: string, _options: unknown, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        await operator.call('token', 'PATCH', `/v1/person/${keyPath(key)}`, { body: { name } });
        output.write(output.json ? '{}' : 'renamed');
      }),
    );
}

function changeCommand(
  name: string,
  description: string,
  method: 'DELETE',
  path: (argument: string) => 'totp' | `webauthn/${string}`,
): Command {
  return new Command(name).description(description).action((...given: unknown[]) => {
    const command = given.at(-1) as Command;
    return inSession(command, async ({ operator, output }) => {
      await operator.call('token', method, `/v1/person/${path(command.args[0] ?? '')}`);
      output.write(output.json ? '{}' : 'removed');
    });
  });
}

function keyPath(key: string) {
  return `webauthn/${encodeURIComponent(key)}` as const;
}

async function textOf(file: string | undefined, question: string): Promise<string> {
  if (file !== undefined) return (await readFile(file, 'utf8')).trim();
  if (!process.stdin.isTTY) throw new UsageError('nobody to ask: --current-file and --new-file');
  return hidden(question);
}
