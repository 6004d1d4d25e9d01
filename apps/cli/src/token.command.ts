/** `token`: prints an operator token, for curl. */
import { Command } from 'commander';
import { inSession } from './session.service.js';

export function tokenCommand(): Command {
  return new Command('token')
    .description('print the operator token of this suite')
    .action((_options: unknown, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const token = await operator.token();
        output.write(output.json ? JSON.stringify({ access_token: token }) : token);
      }),
    );
}
