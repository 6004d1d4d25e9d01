/** Works out what a fleet of a size takes: from what operations were measured to cost, how often a fleet does them, and what is assumed of it. */
import type { Figures } from './figures.js';

const DAY_SECONDS = 86_400;
/** A certificate is renewed when a third of its life is left. */
const CERTIFICATE_USED = 2 / 3;
const GIB = 2 ** 30;

/** What is asked. Times in seconds unless their name says otherwise. */
export interface Fleet {
  readonly vehicles: number;
  readonly intervalSeconds: number;
  /** 1: a POST for each record, signed by itself; more: signed batches of that many, sent when they are full. */
  readonly recordsPerPost: number;
  readonly tokenSeconds: number;
  readonly certificateHours: number;
  /** How often a vehicle asks whether to renew: `renewalInfo.pollSeconds`. */
  readonly renewalPollSeconds: number;
  /** Of a vehicle, of each of its connections: radio, sleep. */
  readonly reconnectsPerDay: number;
  /** Kept connections of a vehicle: telemetry, commands. */
  readonly connections: number;
  readonly retentionDays: number;
  /** Of a fleet's certificates in a year. */
  readonly revokedPerYear: number;
  /** How long a denylist entry lives: what is left of the certificate, grace and skew. */
  readonly entryHours: number;
  readonly crlShards: number;
  /** Fetches of a shard or a status each second by others than vehicles: the CDN's misses, and OCSP that is not cached. */
  readonly ocspPerSecond: number;
  /** The part of a core, or of a server, that may be busy at the mean: the rest is for peaks and lost nodes. */
  readonly utilisation: number;
  readonly coresPerDatabaseNode: number;
}

export const USUAL: Omit<Fleet, 'vehicles' | 'intervalSeconds'> = {
  recordsPerPost: 1,
  tokenSeconds: 120,
  certificateHours: 24,
  renewalPollSeconds: 3600,
  reconnectsPerDay: 24,
  connections: 2,
  retentionDays: 400,
  revokedPerYear: 0.01,
  entryHours: 48,
  crlShards: 128,
  ocspPerSecond: 100,
  utilisation: 0.6,
  coresPerDatabaseNode: 32,
};

export interface Part {
  readonly name: string;
  /** Busy at the mean. */
  readonly cores: number;
  /** Processes of one core each, or servers; never fewer than two. */
  readonly replicas: number;
  readonly because: string;
}

export interface Capacity {
  readonly perSecond: {
    readonly records: number;
    readonly posts: number;
    readonly tokens: number;
    readonly renewals: number;
    /** Questions whether to renew (renewal information). */
    readonly polls: number;
    readonly handshakes: number;
    readonly events: number;
  };
  readonly parts: readonly Part[];
  readonly cores: number;
  readonly database: {
    readonly nodes: number;
    readonly storedGiBADay: number;
    readonly storedTiB: number;
    readonly walMiBASecond: number;
  };
  readonly nats: {
    /** Leaf clusters with a stream EVENTS of their own each: one stream has one leader. */
    readonly regions: number;
    readonly storedGiBADay: number;
  };
  readonly connections: { readonly open: number; readonly memoryGiB: number };
  readonly network: { readonly inMbit: number; readonly outMbit: number };
  readonly revocation: {
    readonly entries: number;
    readonly denylistMiBAnInstance: number;
    readonly crlKiBAShard: number;
    readonly revokedADay: number;
  };
  /** Names of parts, the dearest first. */
  readonly dominates: readonly string[];
  /** What no measurement reached. */
  readonly extrapolated: readonly string[];
}

/** Throws a RangeError for what no fleet can be. */
export function capacityOf(fleet: Fleet, figures: Figures): Capacity {
  for (const [name, value] of Object.entries(fleet)) {
    if (!Number.isFinite(value) || value < 0 || (value === 0 && name !== 'revokedPerYear' && name !== 'ocspPerSecond'))
      throw new RangeError(`${name}: ${value}`);
  }
  if (fleet.utilisation > 1) throw new RangeError(`utilisation: ${fleet.utilisation} of a core`);
  const perSecond = ratesOf(fleet);
  const parts = partsOf(fleet, perSecond, figures);
  const entries =
    ((fleet.vehicles * fleet.revokedPerYear * fleet.entryHours) / (365 * 24)) * figures.entriesPerRevocation.value;
  const open = fleet.vehicles * fleet.connections;
  const stored = perSecond.records * DAY_SECONDS * storedBytes(fleet, figures);
  const bytes = bytesOf(fleet, perSecond, figures);
  return {
    perSecond,
    parts,
    cores: sum(parts.map(({ cores }) => cores)),
    database: {
      nodes: parts.find(({ name }) => name === 'PostgreSQL primaries')?.replicas ?? 0,
      storedGiBADay: stored / GIB,
      storedTiB: (stored * fleet.retentionDays) / GIB / 1024,
      walMiBASecond: (perSecond.records * cost(fleet, figures, 'walBytes')) / 2 ** 20,
    },
    nats: {
      regions: regionsOf(fleet, perSecond, figures),
      storedGiBADay: (perSecond.events * DAY_SECONDS * figures.eventBytes.value * 3) / GIB,
    },
    connections: { open, memoryGiB: (open * figures.connectionBytes.value) / GIB },
    network: { inMbit: (bytes.in * 8) / 1e6, outMbit: (bytes.out * 8) / 1e6 },
    revocation: {
      entries,
      denylistMiBAnInstance: (entries * figures.denylistEntryBytes.value) / 2 ** 20,
      crlKiBAShard: (entries * figures.crlEntryBytes.value) / fleet.crlShards / 1024,
      revokedADay: (fleet.vehicles * fleet.revokedPerYear) / 365,
    },
    dominates: [...parts].sort((a, b) => b.cores - a.cores).map(({ name }) => name),
    extrapolated: extrapolated(fleet, perSecond, figures),
  };
}

function ratesOf(fleet: Fleet): Capacity['perSecond'] {
  const { vehicles, intervalSeconds, recordsPerPost } = fleet;
  const records = vehicles / intervalSeconds;
  const renewals = vehicles / (fleet.certificateHours * 3600 * CERTIFICATE_USED);
  // A vehicle that sends less often than its token lives needs one for each POST, and no more.
  const used = fleet.tokenSeconds - Math.min(15, fleet.tokenSeconds / 4);
  const tokens = vehicles / Math.max(used, intervalSeconds * recordsPerPost);
  // A renewal and the first token of a connection come on connections of their own.
  const handshakes = (vehicles * fleet.reconnectsPerDay * (fleet.connections + 1)) / DAY_SECONDS + renewals;
  const polls = vehicles / fleet.renewalPollSeconds;
  return { records, posts: records / recordsPerPost, tokens, renewals, polls, handshakes, events: records + renewals };
}

/** A stream has one leader, whose work is taken to fill one core at most. */
function regionsOf(fleet: Fleet, { events }: Capacity['perSecond'], figures: Figures): number {
  const leaders = (events * cost(fleet, figures, 'natsLeaderMicros')) / 1e6 / fleet.utilisation;
  return Math.max(1, Math.ceil(leaders));
}

type Share =
  | 'serviceMicros'
  | 'gatewayMicros'
  | 'postgresMicros'
  | 'standbyMicros'
  | 'natsMicros'
  | 'natsLeaderMicros'
  | 'storedBytes'
  | 'walBytes';

/** Of a record, by the way it comes: single, or in a signed batch. Between the two measured sizes the part that a POST costs is spread over its records. */
function cost({ recordsPerPost }: Fleet, { single, batch }: Figures, share: Share): number {
  const size = batch.records.value;
  const perPost = ((single[share].value - batch[share].value) * size) / (size - 1);
  const perRecord = single[share].value - perPost;
  return perRecord + perPost / recordsPerPost;
}

function storedBytes(fleet: Fleet, figures: Figures): number {
  return cost(fleet, figures, 'storedBytes');
}

function partsOf(fleet: Fleet, rate: Capacity['perSecond'], figures: Figures): Part[] {
  const { utilisation, coresPerDatabaseNode } = fleet;
  const micros = (name: Share) => rate.records * cost(fleet, figures, name);
  const handshakes = rate.handshakes * figures.handshakeMicros.value;
  const { token, renewal } = figures;
  const database =
    micros('postgresMicros') + rate.tokens * token.postgresMicros.value + rate.renewals * renewal.postgresMicros.value;
  const process = (name: string, busyMicros: number, because: string): Part => {
    const cores = busyMicros / 1e6;
    return { name, cores, replicas: Math.max(2, Math.ceil(cores / utilisation)), because };
  };
  const servers = (name: string, busyMicros: number, least: number, because: string): Part => {
    const cores = busyMicros / 1e6;
    return { name, cores, replicas: Math.max(least, Math.ceil(cores / utilisation / coresPerDatabaseNode)), because };
  };
  return [
    process(
      'telemetry',
      micros('serviceMicros') + (handshakes * 1) / (fleet.connections + 1),
      'records, and its part of the handshakes',
    ),
    process('gateway', micros('gatewayMicros'), 'the projection of what vehicles last said'),
    process(
      'token',
      rate.tokens * token.serviceMicros.value + handshakes / (fleet.connections + 1),
      'tokens by their lifetime',
    ),
    process(
      'command',
      ((fleet.connections - 1) * handshakes) / (fleet.connections + 1),
      'connections that wait for a command',
    ),
    process(
      'provisioning',
      rate.renewals * renewal.serviceMicros.value + rate.polls * figures.pollMicros.value,
      'renewals by the life of certificates, and asking for them',
    ),
    process('fleet-ca', rate.renewals * renewal.fleetCaMicros.value, 'a signature a renewal'),
    process('revocation', fleet.ocspPerSecond * figures.ocspMicros.value, 'OCSP that no cache answers'),
    servers(
      'PostgreSQL primaries',
      database,
      1,
      'records, tokens and renewals, on nodes that share the tables by device_id',
    ),
    servers('PostgreSQL standbys', micros('standbyMicros'), 1, 'one synchronous standby a node, and better two'),
    servers(
      'NATS',
      rate.events * cost(fleet, figures, 'natsMicros'),
      3 * regionsOf(fleet, rate, figures),
      'every event on three nodes of its region',
    ),
  ];
}

function bytesOf(fleet: Fleet, rate: Capacity['perSecond'], { wire }: Figures): { in: number; out: number } {
  const post = wire.postBytes.value + (fleet.recordsPerPost - 1) * wire.recordBytes.value;
  const requests = rate.posts + rate.tokens;
  return {
    in: rate.posts * post + rate.tokens * wire.tokenRequestBytes.value + rate.handshakes * wire.handshakeInBytes.value,
    out: requests * wire.answerBytes.value + rate.handshakes * wire.handshakeOutBytes.value,
  };
}

function extrapolated(fleet: Fleet, rate: Capacity['perSecond'], figures: Figures): string[] {
  const beyond: string[] = [];
  const reached = figures.recordsPerSecond.value;
  if (rate.records > reached)
    beyond.push(
      `${Math.round(rate.records)} records a second: ${Math.round(reached)} were measured, on one telemetry process and one PostgreSQL; more of either is taken to cost the same a record`,
    );
  if (fleet.recordsPerPost !== 1 && fleet.recordsPerPost !== figures.batch.records.value)
    beyond.push(`${fleet.recordsPerPost} records a POST: 1 and ${figures.batch.records.value} were measured`);
  if (fleet.vehicles * fleet.connections > figures.connections.value)
    beyond.push(`memory of a connection: ${figures.connections.value} were open at once`);
  if (fleet.vehicles > 100_000)
    beyond.push(
      'a database that knows more than 100,000 devices: up to there a record costs the same (bench telemetry-ingest, flatness)',
    );
  beyond.push('how often vehicles reconnect, how many are revoked, what asks by OCSP: assumed, not measured');
  return beyond;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, one) => all + one, 0);
}
