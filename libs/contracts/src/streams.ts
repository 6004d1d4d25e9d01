/** The JetStream streams and KV buckets of the suite, as data. */
import type { Service } from '@outrider/ids';
import { CONTRACTS } from './all.js';
import { filterOf } from './contract.js';

/** `subjects`: what the stream keeps; ages in seconds. */
export const EVENTS_STREAM = {
  name: 'EVENTS',
  subjects: CONTRACTS.flatMap((c) => (c.kind === 'event' && !c.ephemeral ? [filterOf(c)] : [])),
  maxAgeSeconds: 7 * 24 * 3600,
  duplicateWindowSeconds: 120,
} as const;

/** `writer`: the one service that may put, delete or purge; null = each instance its own key `<service>.<instance>`. */
export interface BucketSpec {
  readonly name: string;
  readonly writer: Service | null;
  readonly readers: readonly Service[] | 'all';
  readonly ttlSeconds: number;
  readonly storage: 'file' | 'memory';
  /** The writer clears away what its entries left; of other buckets nobody purges anything. */
  readonly purged?: true;
}

export const DENYLIST_BUCKET: BucketSpec = {
  name: 'DENYLIST',
  writer: 'revocation',
  purged: true,
  readers: 'all',
  ttlSeconds: 0,
  storage: 'file',
};

/** All entries of the list in packed chunks, from time to time, so that an instance that starts need not read a million keys. */
export const DENYLIST_SNAPSHOT_BUCKET: BucketSpec = {
  name: 'DENYLIST_SNAPSHOT',
  writer: 'revocation',
  purged: true,
  readers: 'all',
  ttlSeconds: 0,
  storage: 'file',
};

/** Leases: an instance that does not renew within the TTL is gone. On disk, so that the bucket outlives a NATS that was killed. */
export const INSTANCES_BUCKET: BucketSpec = {
  name: 'INSTANCES',
  writer: null,
  readers: ['revocation'],
  ttlSeconds: 10,
  storage: 'file',
};

/** The policies in force, under one key; each reader verifies who signed them. */
export const POLICIES_BUCKET: BucketSpec = {
  name: 'POLICIES',
  writer: 'gateway',
  readers: ['token', 'command', 'revocation', 'gateway'],
  ttlSeconds: 0,
  storage: 'file',
};
export const POLICIES_KEY = 'in-force';

export const BUCKETS: readonly BucketSpec[] = [
  DENYLIST_BUCKET,
  DENYLIST_SNAPSHOT_BUCKET,
  INSTANCES_BUCKET,
  POLICIES_BUCKET,
];
