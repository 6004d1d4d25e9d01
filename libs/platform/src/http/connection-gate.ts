/** Decides which connections may open, and in what order their handshakes begin: each address in its turn, so that a flood from one holds up no other. */
import { parseNetwork } from '@outrider/admission';

/** Of one listener. `handshakes...`: under way at once; what is beyond waits its turn and is not refused. */
export interface ConnectionLimits {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly handshakes: number;
  readonly handshakesPerAddress: number;
  /** Addresses and networks behind which many stand: proxies, load balancers. No limit per address holds for them. */
  readonly exempt: readonly string[];
}

export type Refused = 'total' | 'address';

interface Source<T> {
  readonly exempt: boolean;
  open: number;
  underWay: number;
  readonly waiting: Set<T>;
}

/** A state machine without a clock and without sockets. `T`: a connection, told apart by identity. */
export class ConnectionGate<T extends object> {
  readonly #sources = new Map<string, Source<T>>();
  readonly #addressOf = new Map<T, string>();
  readonly #underWay = new Set<T>();
  /** Addresses with somebody waiting, in turn: a set goes round in the order of insertion. */
  readonly #turns = new Set<string>();
  #waiting = 0;
  readonly #exempt;

  constructor(private readonly limits: ConnectionLimits) {
    this.#exempt = limits.exempt.flatMap((text) => parseNetwork(text) ?? []);
  }

  get open(): number {
    return this.#addressOf.size;
  }

  /** Those whose turn has not come. */
  get waiting(): number {
    return this.#waiting;
  }

  isWaiting(connection: T): boolean {
    return this.#sourceOf(connection)?.waiting.has(connection) === true;
  }

  /** A connection that has come: refused, or open and waiting for its turn. */
  arrive(connection: T, remoteAddress: string): Refused | undefined {
    if (this.open >= this.limits.connections) return 'total';
    const address = addressKey(remoteAddress);
    const source = this.#sources.get(address) ?? this.#newSource(remoteAddress);
    if (!source.exempt && source.open >= this.limits.connectionsPerAddress) return 'address';
    this.#sources.set(address, source);
    this.#addressOf.set(connection, address);
    source.open += 1;
    source.waiting.add(connection);
    this.#waiting += 1;
    this.#turns.add(address);
    return undefined;
  }

  /** Whose handshake begins now; undefined where nobody waits, or all who wait have as many under way as they may. */
  next(): T | undefined {
    if (this.#underWay.size >= this.limits.handshakes) return undefined;
    for (const address of this.#turns) {
      const source = this.#sources.get(address);
      const [connection] = source?.waiting ?? [];
      if (!source || !connection) {
        this.#turns.delete(address);
        continue;
      }
      if (!source.exempt && source.underWay >= this.limits.handshakesPerAddress) continue;
      source.waiting.delete(connection);
      this.#waiting -= 1;
      source.underWay += 1;
      this.#underWay.add(connection);
      this.#turns.delete(address);
      if (source.waiting.size > 0) this.#turns.add(address);
      return connection;
    }
    return undefined;
  }

  /** Its handshake is over, or has held its place for long enough. Says so as often as one likes. */
  settle(connection: T): void {
    if (!this.#underWay.delete(connection)) return;
    const source = this.#sourceOf(connection);
    if (source) source.underWay -= 1;
  }

  /** It is closed, wherever it was. */
  leave(connection: T): void {
    this.settle(connection);
    const address = this.#addressOf.get(connection);
    const source = this.#sourceOf(connection);
    if (address === undefined || !source) return;
    this.#addressOf.delete(connection);
    if (source.waiting.delete(connection)) this.#waiting -= 1;
    source.open -= 1;
    if (source.waiting.size === 0) this.#turns.delete(address);
    if (source.open === 0) this.#sources.delete(address);
  }

  #sourceOf(connection: T): Source<T> | undefined {
    const address = this.#addressOf.get(connection);
    return address === undefined ? undefined : this.#sources.get(address);
  }

  #newSource(remoteAddress: string): Source<T> {
    const address = parseNetwork(remoteAddress);
    const exempt =
      address !== undefined &&
      this.#exempt.some(({ bits, number, prefix }) => {
        const hostBits = BigInt(bits - prefix);
        return bits === address.bits && address.number >> hostBits === number >> hostBits;
      });
    return { exempt, open: 0, underWay: 0, waiting: new Set() };
  }
}

/** One who has an IPv6 /64 has all its addresses. */
function addressKey(remoteAddress: string): string {
  if (!remoteAddress.includes(':')) return remoteAddress;
  const network = parseNetwork(remoteAddress.split('%', 1)[0]!);
  if (!network) return remoteAddress;
  return network.bits === 32 ? `4 ${network.number}` : `6 ${network.number >> 64n}`;
}
