/**
 * `node provision.command.js --url URL --password-file FILE [--ca-file FILE] [--replicas N] [--team NAME] [--siem NAME] [--replay-from TIME]`: makes or updates the streams, durable
 * consumers and buckets of libs/contracts, as the user `provisioner`; besides, what the NATS users `team-NAME` and `siem-NAME` read by. A team's consumer
 * begins with what comes next; with `--replay-from` (RFC 3339) it begins anew, with what was stored at that time or later. `--replicas`: on how many
 * nodes each stream and bucket is kept, 1 (the default) or, in a cluster of three or more, 3: then one of them may be lost.
 */
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
import { BUCKETS, durableConsumers, EVENTS_STREAM, isTeamUser, teamConsumers } from '@outrider/contracts';
import { readSecret } from '../service/config.js';
import { areServers, serversOf } from './servers.js';

const NS = 1_000_000_000;
const ACK_WAIT_SECONDS = 30;
/** Of a consumer that gathers what is latest and acknowledges it together: seconds of a flood. */
const LATEST_MAX_ACK_PENDING = 50_000;

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    user: { type: 'string', default: 'provisioner' },
    'password-file': { type: 'string' },
    'ca-file': { type: 'string' },
    team: { type: 'string', multiple: true, default: [] },
    siem: { type: 'string', multiple: true, default: [] },
    'replay-from': { type: 'string' },
    replicas: { type: 'string', default: '1' },
  },
});
const replayFrom = values['replay-from'] === undefined ? undefined : new Date(values['replay-from']);
const teams = [...values.team.map((name) => `team-${name}`), ...values.siem.map((name) => `siem-${name}`)];
const misfit = Number.isNaN(replayFrom?.getTime()) || (replayFrom && teams.length === 0) || !teams.every(isTeamUser);
const replicas = Number(values.replicas);
if (!values.url || !areServers(values.url) || !values['password-file'] || ![1, 3, 5].includes(replicas) || misfit) {
  console.error(
    'usage: provision.command.js --url URL --password-file FILE [--ca-file FILE] [--replicas 1|3|5] [--user NAME] [--team NAME] [--siem NAME] [--replay-from TIME]',
  );
  process.exit(2);
}

const connection = await connect({
  servers: serversOf(values.url),
  user: values.user,
  pass: readSecret(values['password-file']),
  inboxPrefix: `_INBOX.${values.user}`,
  timeout: 10_000,
  ...(values['ca-file'] === undefined ? {} : { tls: { caFile: values['ca-file'] } }),
});
const manager = await jetstreamManager(connection, { timeout: 10_000 });
const wanted = {
  subjects: [...EVENTS_STREAM.subjects],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  num_replicas: replicas,
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
for (const { name, filterSubject } of teams.filter(isTeamUser).flatMap(teamConsumers)) {
  const there = await manager.consumers.info(EVENTS_STREAM.name, name).then(
    () => true,
    () => false,
  );
  // Where a consumer begins cannot be changed: it is made anew, and what was not acknowledged comes again if it is late enough.
  if (there && replayFrom) await manager.consumers.delete(EVENTS_STREAM.name, name);
  if (there && !replayFrom) continue;
  await manager.consumers.add(EVENTS_STREAM.name, {
    name,
    durable_name: name,
    filter_subject: filterSubject,
    ack_policy: AckPolicy.Explicit,
    ...(replayFrom
      ? { deliver_policy: DeliverPolicy.StartTime, opt_start_time: replayFrom.toISOString() }
      : { deliver_policy: DeliverPolicy.New }),
    ack_wait: ACK_WAIT_SECONDS * NS,
    max_deliver: -1,
  });
}
for (const bucket of BUCKETS) {
  await new Kvm(connection).create(bucket.name, {
    history: 1,
    ttl: bucket.ttlSeconds * 1000,
    storage: bucket.storage === 'file' ? StorageType.File : StorageType.Memory,
    replicas,
  });
  // One that was there before is opened as it is.
  const { config } = await manager.streams.info(`KV_${bucket.name}`);
  if (config.num_replicas !== replicas)
    await manager.streams.update(config.name, { ...config, num_replicas: replicas });
}
await connection.close();
