/** NATS passwords: one user a service, one that makes streams, each in a file of its own. */
import { join } from 'node:path';
import { secret, writeWhole } from './files.ts';
import { runProduct } from './product.ts';
import { SERVICES } from './services.ts';

export const PROVISIONER = 'provisioner';
/** A team and a SIEM outside the suite that hear its events: the examples of docs/examples. */
export const EXAMPLE_TEAM = 'example';
export const EXAMPLE_SIEM = 'example';

export function natsPasswordFile(secrets: string, user: string): string {
  return join(secrets, `nats-${user}`);
}

/**
 * Makes up what is missing and writes the server's authorization block, which libs/contracts derives from the contracts. `outside` are the
 * NATS users of teams and SIEMs.
 */
export async function writeNatsAuthorization(
  secrets: string,
  authorizationFile: string,
  outside: readonly string[] = [`team-${EXAMPLE_TEAM}`, `siem-${EXAMPLE_SIEM}`],
): Promise<void> {
  const names = [...SERVICES.map(({ name }) => name), PROVISIONER, ...outside];
  const users = Object.fromEntries(names.map((name) => [name, secret(natsPasswordFile(secrets, name))]));
  const usersFile = join(secrets, 'nats-users.json');
  writeWhole(usersFile, JSON.stringify(users));
  await runProduct('libs/contracts/dist/nats-permissions.command.js', [
    '--users',
    usersFile,
    '--out',
    authorizationFile,
  ]);
}
