// A platform team's own service that hears every accepted message, each once (docs/protocols/telemetry-reading.md).
//
//   node docs/examples/telemetry-consumer.mjs nats://127.0.0.1:14222 .outrider/secrets/nats-team-example [--count 10]
//
// The team's NATS user is team-<name>; its durable consumer was made by whoever runs the suite and remembers what was acknowledged:
// started again, this goes on where it stopped. Delivery is at least once, so what was seen already is left out here by the
// numbers that name a message. A real service keeps them with its own data, in the same transaction.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { team: { type: 'string', default: 'example' }, count: { type: 'string', default: 'Infinity' } },
});
const [servers, passwordFile] = positionals;
if (!servers || !passwordFile) {
  console.error('usage: telemetry-consumer.mjs NATS-URL PASSWORD-FILE [--team NAME] [--count N]');
  process.exit(2);
}

const user = `team-${values.team}`;
const pass = readFileSync(passwordFile, 'utf8').trim();
const connection = await connect({ servers, user, pass, inboxPrefix: `_INBOX.${user}`, maxReconnectAttempts: -1 });
// The subject's dots are dashes in the consumer's name: one consumer for each event that a team hears.
const consumer = await jetstream(connection).consumers.get('EVENTS', `${user}-telemetry-message-accepted-v1`);

const seen = new Set();
let left = Number(values.count);
for await (const message of await consumer.consume({ max_messages: 100 })) {
  const event = message.json();
  const name = [event.deviceId, event.stream, event.epoch, event.seq].join(' ');
  if (!seen.has(name)) {
    seen.add(name);
    const { telemetry } = JSON.parse(event.payload);
    console.log(JSON.stringify({ device: event.deviceId, seq: event.seq, at: event.receivedAt, telemetry }));
    left -= 1;
  }
  // After the work, never before: what was not acknowledged comes again. Awaited, so that the last one is not lost with the connection.
  await message.ackAck();
  if (left <= 0) break;
}
await connection.drain();
