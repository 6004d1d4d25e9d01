/** `node provision.command.js --url URL --password-file FILE`: makes or updates the streams, durable consumers and buckets of libs/contracts, as the user `provisioner`. */
import { parseArgs } from 'node:util';
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { BUCKETS, durableConsumers, EVENTS_STREAM } from '@outrider/contracts';
import { readSecret } from '../service/config.js';

const NS = 1_000_000_000;
const ACK_WAIT_SECONDS = 30;
/** Of a consumer that gathers what is latest and acknowledges it together: seconds of a flood. */
const LATEST_MAX_ACK_PENDING = 50_000;

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    user: { type: 'string', default: 'provisioner' },
    'password-file': { type: 'string' },
  },
});
if (!values.url || !values['password-file']) {
  console.error('usage: provision.command.js --url URL --password-file FILE [--user NAME]');
  process.exit(2);
}

const connection = await connect({
  servers: values.url,
  user: values.user,
  pass: readSecret(values['password-file']),
  inboxPrefix: `_INBOX.${values.user}`,
  timeout: 10_000,
});
const manager = await jetstreamManager(connection, { timeout: 10_000 });
const wanted = {
  subjects: [...EVENTS_STREAM.subjects],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  max_age: EVENTS_STREAM.maxAgeSeconds * NS,
  // Each owner may read the last event of its own subjects, and no others.
  allow_direct: true,
  duplicate_window: EVENTS_STREAM.duplicateWindowSeconds * NS,
};
const exists = await manager.streams.info(EVENTS_STREAM.name).then(
  () => true,
  () => false,
);
if (exists) await manager.streams.update(EVENTS_STREAM.name, wanted);
else await manager.streams.add({ name: EVENTS_STREAM.name, ...wanted });
for (const { name, filterSubject, latest } of durableConsumers()) {
  await manager.consumers.add(EVENTS_STREAM.name, {
    name,
    durable_name: name,
    filter_subject: filterSubject,
    ...(latest
      ? {
          ack_policy: AckPolicy.All,
          deliver_policy: DeliverPolicy.LastPerSubject,
          max_ack_pending: LATEST_MAX_ACK_PENDING,
        }
      : { ack_policy: AckPolicy.Explicit, deliver_policy: DeliverPolicy.All }),
    ack_wait: ACK_WAIT_SECONDS * NS,
    max_deliver: -1,
  });
}
for (const bucket of BUCKETS) {
  await new Kvm(connection).create(bucket.name, {
    history: 1,
    ttl: bucket.ttlSeconds * 1000,
    storage: bucket.storage === 'file' ? StorageType.File : StorageType.Memory,
  });
}
await connection.close();
