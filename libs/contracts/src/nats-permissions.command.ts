/** `node nats-permissions.command.js --users FILE [--out FILE]`: writes the authorization block; FILE holds `{"<user>": "<password>"}`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type NatsUsers, natsAuthorization } from './nats-config.js';

const { values } = parseArgs({ options: { users: { type: 'string' }, out: { type: 'string' } } });
if (!values.users) {
  console.error('usage: nats-permissions.command.js --users FILE [--out FILE]');
  process.exit(2);
}
const text = natsAuthorization(JSON.parse(readFileSync(values.users, 'utf8')) as NatsUsers);
if (values.out) writeFileSync(values.out, text, { mode: 0o600 });
else process.stdout.write(text);
