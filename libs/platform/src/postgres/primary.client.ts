import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Address } from './addresses.js';
import { isDatabaseAway } from './failure.js';

/** For a busy server and for us, who may be just starting; a server that is not there is not waited for once another takes writes. */
const PROBE_TIMEOUT_MS = 8000;
const OTHERS_MS = 500;
/** PostgreSQL's own code for a write that it takes not, being a standby or fenced. */
const READ_ONLY = '25006';
/** How long a statement waits for a server that says nothing. */
export interface Patience {
  /** Then, and again after as long, it is looked whether another server has taken its place. */
  readonly doubtMs: number;
  /** Then it is gone without a word. Beyond the limit of any statement. */
  readonly silenceMs: number;
}
export const PATIENCE: Patience = { doubtMs: 10_000, silenceMs: 70_000 };

export interface PrimaryClient extends pg.Client {
  /** Throws, as a database that is away, where its server takes no writes; the one that does is then looked for. */
  requirePrimary(): Promise<void>;
}

export type ClientClass = new (config?: pg.ClientConfig) => pg.Client;

/** Which of several servers takes writes, for all connections of a process to a database; and those connections. */
export class Primary {
  private known: Address | undefined;
  private last: Address | undefined;
  private looking: Promise<Address> | undefined;
  private readonly clients = new Map<pg.Client, Address>();

  constructor(readonly addresses: readonly Address[]) {
    if (addresses.length === 1) this.known = addresses[0];
  }

  get several(): boolean {
    return this.addresses.length > 1;
  }

  /** The one known, or the one that is found now. Rejects, as a database that is away, when none takes writes. */
  async find(config: pg.ClientConfig): Promise<Address> {
    return this.known ?? this.look(config);
  }

  /** Asks all of them. What still hangs on another than the one found is cut off: it would wait for a server that is no more. */
  look(config: pg.ClientConfig): Promise<Address> {
    this.looking ??= findWritable(this.addresses, config)
      .then((writable) => {
        // Where all nodes take writes, the one that we are with.
        const found = writable.find((one) => this.last && same(one, this.last)) ?? (writable[0] as Address);
        this.known = found;
        this.last = found;
        for (const [client, address] of this.clients) {
          if (!same(address, found)) cut(client, `${words(found)} takes writes instead of ${words(address)}`);
        }
        return found;
      })
      .finally(() => {
        this.looking = undefined;
      });
    return this.looking;
  }

  forget(address: Address): void {
    if (this.several && this.known && same(this.known, address)) this.known = undefined;
  }

  /** A connection found its server taking no writes. Where there is one that does, every connection of before is cut off; else all stay. */
  async leave(address: Address, config: pg.ClientConfig): Promise<void> {
    const before = [...this.clients].filter(([, at]) => same(at, address)).map(([client]) => client);
    this.forget(address);
    const found = await this.look(config);
    for (const client of before) cut(client, `${words(address)} took no writes, ${words(found)} does`);
  }

  joined(client: pg.Client, address: Address): void {
    this.clients.set(client, address);
    client.once('end', () => this.clients.delete(client));
  }
}

/**
 * A `pg` client that connects to the server that takes writes, as libpq's `target_session_attrs=read-write` does. One that is told it
 * writes to a standby is closed, and the next looks anew; one that waits for a server that fell silent is cut off.
 */
export function clientOf(primary: Primary, { doubtMs, silenceMs }: Patience): ClientClass {
  return class extends pg.Client implements PrimaryClient {
    private readonly given: pg.ClientConfig;
    private at: Address | undefined;

    constructor(config: pg.ClientConfig = {}) {
      super(config);
      this.given = config;
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: ((error: Error) => void) | ((error: null, client: pg.Client) => void)): void;
    override connect(callback?: (error: never, client: pg.Client) => void): Promise<pg.Client> | undefined {
      const connected = this.connectToPrimary().then(() => this);
      if (!callback) return connected;
      const told = callback as (error: Error | null, client?: pg.Client) => void;
      connected.then(
        (client) => told(null, client),
        (error: Error) => told(error),
      );
      return undefined;
    }

    async requirePrimary(): Promise<void> {
      const { at } = this;
      if (!at) throw new Error('a client that is not connected');
      try {
        await requireWritable(this, at);
      } catch (error) {
        if ((error as { code?: string }).code === READ_ONLY) primary.leave(at, this.given).catch(() => undefined);
        throw error;
      }
    }

    private async connectToPrimary(): Promise<void> {
      const address = await primary.find(this.given);
      // pg reads them when it connects, and knows of one server alone.
      Object.assign(this, address);
      try {
        await super.connect();
        if (primary.several) await requireWritable(this, address);
      } catch (error) {
        primary.forget(address);
        this.end().catch(() => undefined);
        throw error;
      }
      this.at = address;
      primary.joined(this, address);
      this.leaveWhenReadOnly(address);
      this.doubtSilence(address);
    }

    private leaveWhenReadOnly(address: Address): void {
      wireOf(this).on('errorMessage', ({ code }: { code?: string }) => {
        if (code !== READ_ONLY) return;
        primary.forget(address);
        // A pool gives out no client that is ending.
        this.end().catch(() => undefined);
      });
    }

    private doubtSilence(address: Address): void {
      const { stream } = wireOf(this);
      let [silentMs, heard] = [0, 0];
      stream.on('timeout', () => {
        stream.setTimeout(doubtMs);
        silentMs = waits(this) && heard === stream.bytesRead ? silentMs + doubtMs : 0;
        heard = stream.bytesRead;
        if (silentMs >= silenceMs) cut(this, `${words(address)} fell silent`);
        else if (waits(this) && primary.several) primary.look(this.given).catch(() => undefined);
      });
      stream.setTimeout(doubtMs);
    }
  };
}

/**
 * Throws, as a database that is away, where the server of a pool of `clientOf` takes no writes: a demoted one that still answers who reads.
 * The server that does is then looked for, so that nobody has to fail at a write first.
 */
export async function requirePrimary(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  const ignore = () => undefined;
  // It may be cut off while it is ours.
  client.on('error', ignore);
  try {
    await (client as unknown as PrimaryClient).requirePrimary();
  } finally {
    client.release();
    client.off('error', ignore);
  }
}

/** At least one; those of the highest timeline, in the order configured: of two that take writes the one that was promoted later counts. */
async function findWritable(addresses: readonly Address[], config: pg.ClientConfig): Promise<readonly Address[]> {
  const found: { readonly address: Address; readonly timeline: string }[] = [];
  const errors: Error[] = [];
  const asked = addresses.map(async (address) => {
    try {
      found.push({ address, timeline: await timelineOf(address, config) });
    } catch (error) {
      errors.push(error as Error);
      throw error;
    }
  });
  const all = Promise.allSettled(asked);
  await Promise.any(asked).then(
    () => Promise.race([all, sleep(OTHERS_MS, undefined, { ref: false })]),
    () => undefined,
  );
  const highest = found
    .map(({ timeline }) => timeline)
    .sort()
    .at(-1);
  const best = found.filter(({ timeline }) => timeline === highest).map(({ address }) => address);
  if (best.length > 0) return addresses.filter((address) => best.includes(address));
  // A wrong password will not be right at the next try.
  const hopeless = errors.find((error) => !isDatabaseAway(error));
  if (hopeless) throw hopeless;
  throw unwritable(`none of ${addresses.map(words).join(', ')} takes writes`, errors);
}

/** Of a server that takes writes: eight hex digits that grow with every promotion; empty where there are no timelines. */
async function timelineOf(address: Address, config: pg.ClientConfig): Promise<string> {
  // The pool's password is not enumerable.
  const { password, ssl } = config;
  const own = { ...config, ...address, password, ssl, pipeline: false, connectionTimeoutMillis: PROBE_TIMEOUT_MS };
  const client = new pg.Client(own as pg.ClientConfig);
  client.on('error', () => undefined);
  const late = setTimeout(() => cut(client, `${words(address)} does not answer`), PROBE_TIMEOUT_MS);
  try {
    await client.connect();
    await requireWritable(client, address);
    const { rows } = await client
      .query<{ timeline: string }>('SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline')
      .catch(() => ({ rows: [] }));
    return rows[0]?.timeline ?? '';
  } finally {
    clearTimeout(late);
    client.end().catch(() => undefined);
  }
}

async function requireWritable(client: pg.Client, address: Address): Promise<void> {
  const { rows } = await client.query<{ transaction_read_only: string }>('SHOW transaction_read_only');
  if (rows[0]?.transaction_read_only === 'on') throw unwritable(`${words(address)} takes no writes`);
}

function unwritable(message: string, errors?: readonly Error[]): Error {
  return Object.assign(new Error(message, errors ? { cause: new AggregateError(errors) } : {}), { code: READ_ONLY });
}

function cut(client: pg.Client, why: string): void {
  wireOf(client).stream.destroy(new Error(`Connection terminated: ${why}`));
}

/** What `pg` keeps beneath a client: its messages, its socket (another one once TLS has begun). */
interface Wire {
  readonly stream: Socket;
  on(event: 'errorMessage', listener: (message: { code?: string }) => void): void;
}

function wireOf(client: pg.Client): Wire {
  return (client as unknown as { connection: Wire }).connection;
}

/** Whether a statement is on its way. */
function waits(client: pg.Client): boolean {
  return (client as unknown as { readyForQuery: boolean }).readyForQuery === false;
}

function same(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port;
}

function words({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
