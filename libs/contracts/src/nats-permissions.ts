/** Decides from the list of contracts what each service may publish and hear on NATS; all else the server refuses. */
import { SERVICES, type Service } from '@outrider/ids';
import { CONTRACTS } from './all.js';
import { type EventContract, filterOf } from './contract.js';
import { BUCKETS, type BucketSpec, DENYLIST_BUCKET, DENYLIST_SNAPSHOT_BUCKET, EVENTS_STREAM } from './streams.js';

export interface NatsPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** The durable consumer by which a service hears a kept event; one consumer a contract, as nats-server 2.9 filters on one subject only. */
export function durableName(service: Service, contract: EventContract): string {
  return `${service}-${contract.subject.replaceAll('.', '-')}`;
}

/**
 * The user by which a service reads floods on a connection of its own: the denylist, and events of `latest` contracts. It answers nobody,
 * so the server keeps no list of the replies it might send: nats-server 2.9 goes through that list, a minute's messages long, at each one
 * delivered.
 */
export function readerOf(service: Service): string {
  return `${service}-reader`;
}

/** What that user may do. */
export function readerPermissions(service: Service): NatsPermissions {
  const floods = CONTRACTS.filter((contract) => contract.kind === 'event' && isFloodTo(contract, service));
  const publish = floods.flatMap((contract) => durableConsumer(durableName(service, contract as EventContract)));
  for (const bucket of [DENYLIST_BUCKET, DENYLIST_SNAPSHOT_BUCKET]) publish.push(...bucketReads(bucket));
  return { publish: publish.sort(), subscribe: [`_INBOX.${readerOf(service)}.>`] };
}

function isFloodTo(contract: EventContract, service: Service): boolean {
  return contract.latest && !contract.ephemeral && contract.to.includes(service);
}

/** What the NATS user of `service` may do. Replies go out by `allow_responses`; each user has an inbox prefix of its own. */
export function natsPermissions(service: Service): NatsPermissions {
  const publish = new Set<string>();
  const subscribe = new Set<string>([`_INBOX.${service}.>`]);
  for (const contract of CONTRACTS) {
    if (contract.kind === 'request') {
      if (contract.from.includes(service)) publish.add(contract.subject);
      if (contract.to === service) subscribe.add(contract.subject);
      continue;
    }
    const filter = filterOf(contract);
    if (contract.from.includes(service)) publish.add(filter);
    if (contract.live.includes(service)) subscribe.add(filter);
    if (contract.readBack && contract.from.includes(service))
      for (const subject of lastOf(filter)) publish.add(subject);
    if (!contract.to.includes(service) || isFloodTo(contract, service)) continue;
    if (contract.ephemeral) subscribe.add(filter);
    else for (const subject of durableConsumer(durableName(service, contract))) publish.add(subject);
  }
  for (const bucket of BUCKETS) for (const subject of bucketSubjects(bucket, service)) publish.add(subject);
  return { publish: [...publish].sort(), subscribe: [...subscribe].sort() };
}

/** All of them, by service. */
export function allNatsPermissions(): ReadonlyMap<Service, NatsPermissions> {
  return new Map(SERVICES.map((service) => [service, natsPermissions(service)]));
}

/** One durable consumer of the stream EVENTS. */
export interface DurableConsumer {
  readonly name: string;
  readonly filterSubject: string;
  readonly latest: boolean;
}

/** Those of all services; the provisioner makes them. */
export function durableConsumers(): DurableConsumer[] {
  return CONTRACTS.flatMap((contract) => {
    if (contract.kind === 'request' || contract.ephemeral) return [];
    const filterSubject = filterOf(contract);
    return contract.to.map((service) => ({
      name: durableName(service, contract),
      filterSubject,
      latest: contract.latest,
    }));
  });
}

/**
 * To read from it, never to make it: whoever makes a consumer names the subject the server delivers to, and the server asks for
 * no permission to publish there. What a service both sends and hears it could then say under any other's name.
 */
export function durableConsumer(durable: string): string[] {
  const stream = EVENTS_STREAM.name;
  return [
    `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
    `$JS.ACK.${stream}.${durable}.>`,
  ];
}

/** Which subjects there are, and the last message of each: the subject is part of the question, so that nobody else's can be asked for. */
function lastOf(filter: string): string[] {
  const stream = EVENTS_STREAM.name;
  return [`$JS.API.STREAM.INFO.${stream}`, `$JS.API.DIRECT.GET.${stream}.${filter}`];
}

function bucketSubjects(bucket: BucketSpec, service: Service): string[] {
  const stream = `KV_${bucket.name}`;
  const subjects: string[] = [];
  if (bucket.writer === service) subjects.push(`$KV.${bucket.name}.>`);
  if (bucket.writer === service && bucket.purged) subjects.push(`$JS.API.STREAM.PURGE.${stream}`);
  if (bucket.writer === null) subjects.push(`$KV.${bucket.name}.${service}.>`);
  const reads = bucket.readers === 'all' || bucket.readers.includes(service) || bucket.writer === service;
  if (reads) subjects.push(...bucketReads(bucket));
  return subjects;
}

function bucketReads({ name }: BucketSpec): string[] {
  const stream = `KV_${name}`;
  // A watch is an ordered consumer with a name of its own. Its maker chooses the subject it delivers to, whatever he may publish himself:
  // so every receiver refuses a message that was carried from another subject (libs/platform/src/nats/subscriptions.service.ts).
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.*`,
    `$JS.API.CONSUMER.DELETE.${stream}.*`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.>`,
    `$JS.FC.${stream}.>`,
  ];
}
