/** Works out what a fleet of a size takes: from what operations were measured to cost, how often a fleet does them, and what is assumed of it. */
import type { Cost, Figures } from './figures.js';

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
  /** Busy at the mean; `null` where nothing of it is measured. */
  readonly cores: number | null;
  /** Processes of one core each, or servers; never fewer than two. */
  readonly replicas: number | null;
  readonly because: string;
  /** What it does besides, at a cost that is not measured: `cores` and `replicas` are without it. */
  readonly without: readonly string[];
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
  /** Of what is measured. */
  readonly cores: number;
  /** What the parts together are without. */
  readonly without: readonly string[];
  readonly database: {
    readonly nodes: number | null;
    readonly storedGiBADay: number;
    readonly storedTiB: number;
    readonly walMiBASecond: number;
  };
  readonly nats: {
    /** Leaf clusters with a stream EVENTS of their own each: one stream has one leader. */
    readonly regions: number | null;
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
    cores: sum(parts.map(({ cores }) => cores ?? 0)),
    without: parts.flatMap(({ name, without }) => without.map((what) => `${name}: ${what}`)),
    database: {
      nodes: parts.find(({ name }) => name === 'PostgreSQL primaries')?.replicas ?? null,
      storedGiBADay: stored / GIB,
      storedTiB: (stored * fleet.retentionDays) / GIB / 1024,
      walMiBASecond: (perSecond.records * between(fleet, figures, 'walBytes')) / 2 ** 20,
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
    dominates: [...parts].sort((a, b) => (b.cores ?? 0) - (a.cores ?? 0)).map(({ name }) => name),
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
function regionsOf(fleet: Fleet, { events }: Capacity['perSecond'], figures: Figures): number | null {
  const micros = cost(fleet, figures, 'natsLeaderMicros');
  if (micros === null) return null;
  const leaders = (events * micros) / 1e6 / fleet.utilisation;
  return Math.max(1, Math.ceil(leaders));
}

type CpuShare =
  | 'serviceMicros'
  | 'gatewayMicros'
  | 'postgresMicros'
  | 'standbyMicros'
  | 'natsMicros'
  | 'natsLeaderMicros';
type Share = CpuShare | 'storedBytes' | 'walBytes';

/** `null` where it is not measured: 0 is what was too little to see, and not nothing. */
function measured({ value }: Cost): number | null {
  return value === 0 ? null : value;
}

function cost(fleet: Fleet, figures: Figures, share: CpuShare): number | null {
  const [single, batch] = [measured(figures.single[share]), measured(figures.batch[share])];
  if (fleet.recordsPerPost === 1) return single;
  if (fleet.recordsPerPost === figures.batch.records.value) return batch;
  return single === null || batch === null ? null : between(fleet, figures, share);
}

/** Of a record, by the way it comes: single, or in a signed batch. Between the two measured sizes the part that a POST costs is spread over its records. */
function between({ recordsPerPost }: Fleet, { single, batch }: Figures, share: Share): number {
  const size = batch.records.value;
  const [one, many] = [single[share].value ?? 0, batch[share].value ?? 0];
  const perPost = ((one - many) * size) / (size - 1);
  const perRecord = one - perPost;
  return perRecord + perPost / recordsPerPost;
}

function storedBytes(fleet: Fleet, figures: Figures): number {
  return between(fleet, figures, 'storedBytes');
}

/** What a part does: how often a second, and the CPU of each, if it is measured. */
type Work = readonly [what: string, perSecond: number, micros: number | null];

function partsOf(fleet: Fleet, rate: Capacity['perSecond'], figures: Figures): Part[] {
  const { token, renewal } = figures;
  const records = (share: CpuShare): Work => ['records', rate.records, cost(fleet, figures, share)];
  const handshakes = (connections: number): Work => [
    'handshakes',
    (rate.handshakes * connections) / (fleet.connections + 1),
    measured(figures.handshakeMicros),
  ];
  const tokens = (of: Cost): Work => ['tokens', rate.tokens, measured(of)];
  const renewals = (of: Cost): Work => ['renewals', rate.renewals, measured(of)];
  const part = (name: string, work: readonly Work[], because: string, least = 2, coresOfEach = 1): Part => {
    const done = work.filter(([, perSecond]) => perSecond > 0);
    const known = done.filter(([, , micros]) => micros !== null);
    const without = done.filter(([, , micros]) => micros === null).map(([what]) => what);
    if (known.length === 0 && without.length > 0) return { name, cores: null, replicas: null, because, without };
    const cores = sum(known.map(([, perSecond, micros]) => perSecond * (micros ?? 0))) / 1e6;
    const replicas = Math.max(least, Math.ceil(cores / fleet.utilisation / coresOfEach));
    return { name, cores, replicas, because, without };
  };
  const servers = (name: string, work: readonly Work[], least: number, because: string) =>
    part(name, work, because, least, fleet.coresPerDatabaseNode);
  return [
    part('telemetry', [records('serviceMicros'), handshakes(1)], 'records, and its part of the handshakes'),
    part('gateway', [records('gatewayMicros')], 'the projection of what vehicles last said'),
    part('token', [tokens(token.serviceMicros), handshakes(1)], 'tokens by their lifetime'),
    part('command', [handshakes(fleet.connections - 1)], 'connections that wait for a command'),
    part(
      'provisioning',
      [renewals(renewal.serviceMicros), ['questions whether to renew', rate.polls, measured(figures.pollMicros)]],
      'renewals by the life of certificates, and asking for them',
    ),
    part('fleet-ca', [renewals(renewal.fleetCaMicros)], 'a signature a renewal'),
    part('revocation', [['OCSP', fleet.ocspPerSecond, measured(figures.ocspMicros)]], 'OCSP that no cache answers'),
    servers(
      'PostgreSQL primaries',
      [records('postgresMicros'), tokens(token.postgresMicros), renewals(renewal.postgresMicros)],
      1,
      'records, tokens and renewals, on nodes that share the tables by device_id',
    ),
    servers('PostgreSQL standbys', [records('standbyMicros')], 1, 'one synchronous standby a node, and better two'),
    servers(
      'NATS',
      [['events', rate.events, cost(fleet, figures, 'natsMicros')]],
      3 * (regionsOf(fleet, rate, figures) ?? 1),
      'nodes, three a region: every event is on all three',
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
