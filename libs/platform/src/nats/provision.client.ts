/** The streams, durable consumers and buckets of libs/contracts, made or updated. */
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { BUCKETS, durableConsumers, EVENTS_STREAM, isTeamUser, teamConsumers } from '@outrider/contracts';

const NS = 1_000_000_000;
const ACK_WAIT_SECONDS = 30;
/** Of a consumer that gathers what is latest and acknowledges it together: seconds of a flood. */
const LATEST_MAX_ACK_PENDING = 50_000;

export interface ProvisionOptions {
  /** On how many nodes each stream and bucket is kept. */
  readonly replicas: number;
  /** NATS users of teams and SIEMs, by full name, whose consumers are made. */
  readonly teams: readonly string[];
  /** Where the teams' consumers begin anew; without it a consumer that is there stays, and a new one begins with what comes next. */
  readonly replayFrom?: Date | undefined;
}

/** Makes what is missing and updates what is there. `connection`: of the user `provisioner`. */
export async function provision(
  connection: NatsConnection,
  { replicas, teams, replayFrom }: ProvisionOptions,
): Promise<void> {
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
}
