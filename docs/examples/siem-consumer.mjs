// Takes the decision log into a SIEM: each decision as an OCSF event, one JSON document a line (docs/protocols/revocation.md).
//
//   node docs/examples/siem-consumer.mjs nats://127.0.0.1:14222 .outrider/secrets/nats-siem-example [--count 10]
//
// The SIEM's NATS user is siem-<name>; its durable consumer was made by whoever runs the suite and remembers what was acknowledged.
// Delivery is at least once: `metadata.uid` names a decision.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string', default: 'example' }, count: { type: 'string', default: 'Infinity' } },
});
const [servers, passwordFile] = positionals;
if (!servers || !passwordFile) {
  console.error('usage: siem-consumer.mjs NATS-URL PASSWORD-FILE [--name NAME] [--count N]');
  process.exit(2);
}

const user = `siem-${values.name}`;
const pass = readFileSync(passwordFile, 'utf8').trim();
const connection = await connect({ servers, user, pass, inboxPrefix: `_INBOX.${user}`, maxReconnectAttempts: -1 });
const consumer = await jetstream(connection).consumers.get('EVENTS', `${user}-gateway-decision-logged-v1`);

let left = Number(values.count);
for await (const message of await consumer.consume({ max_messages: 100 })) {
  console.log(message.string());
  // After the work, never before: what was not acknowledged comes again.
  await message.ackAck();
  left -= 1;
  if (left <= 0) break;
}
await connection.drain();
