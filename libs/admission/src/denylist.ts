/** Holds the denylist exactly, in memory, and decides what it says of a subject. */
import {
  type DenylistEntry,
  type DenylistKind,
  type DenylistMode,
  type DenylistSubject,
  entryHash,
  entryKey,
} from './denylist-entry.js';
import { NetworkIndex } from './ip-network.js';

interface Stored {
  readonly mode: DenylistMode;
  readonly reason: string;
  /** Milliseconds since the epoch; Infinity: for ever. */
  readonly untilMs: number;
  readonly sequence: number;
}

/** `changed`: the set of live entries or one of their attributes is another now. */
export interface Applied {
  readonly changed: boolean;
}

const NOTHING: Applied = { changed: false };
const CHANGED: Applied = { changed: true };

/**
 * Exact, no false positives. State is a function of the entries applied, in whatever order: for each key the highest
 * sequence wins. Tombstones are remembered so that a late older entry does not come back.
 */
export class Denylist {
  readonly #live: Readonly<Record<DenylistKind, Map<string, Stored>>> = {
    certificate: new Map(),
    serial: new Map(),
    key: new Map(),
    device: new Map(),
    token: new Map(),
    network: new Map(),
  };
  readonly #networks = new NetworkIndex();
  readonly #tombstones = new Map<string, number>();
  readonly #reasons = new Map<string, string>();
  readonly #digest = Buffer.alloc(32);
  #count = 0;
  #sequence = 0;

  /** The highest sequence applied or advanced to. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Live entries: neither removed nor replaced. Those past `until` count until they are removed. */
  get count(): number {
    return this.#count;
  }

  /**
   * 64 lower-case hex digits: the XOR of SHA-256(UTF-8 `<kind>.<value>.<mode>`) over all live entries, e.g. of the bytes
   * `device.device-12345.deny`; 64 zeros for an empty list. Order, reason, until and sequence do not enter.
   */
  get digest(): string {
    return this.#digest.toString('hex');
  }

  /** Idempotent; an entry not newer than what is known of its key changes nothing. */
  apply(entry: DenylistEntry): Applied {
    if (entry.sequence > this.#sequence) this.#sequence = entry.sequence;
    const map = this.#live[entry.kind];
    const known = map.get(entry.value);
    const key = entryKey(entry.kind, entry.value);
    const knownSequence = known?.sequence ?? this.#tombstones.get(key) ?? 0;
    if (entry.sequence <= knownSequence) return NOTHING;
    if (entry.removed) return this.#remove(entry, known, key);
    this.#tombstones.delete(key);
    if (known?.mode !== entry.mode) {
      if (known) this.#toggle(entry.kind, entry.value, known.mode);
      this.#toggle(entry.kind, entry.value, entry.mode);
    }
    if (!known) this.#count += 1;
    if (entry.kind === 'network') this.#networks.add(entry.value);
    map.set(entry.value, {
      mode: entry.mode,
      reason: this.#intern(entry.reason),
      untilMs: entry.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(entry.until),
      sequence: entry.sequence,
    });
    return CHANGED;
  }

  /** Raises `sequence` to one that is known to be covered by what is held (a heartbeat whose digest agreed). */
  advance(sequence: number): void {
    if (sequence > this.#sequence) this.#sequence = sequence;
  }

  /** Forgets a tombstone whose record is gone from its store for good. */
  forgetTombstone(kind: DenylistKind, value: string): void {
    this.#tombstones.delete(entryKey(kind, value));
  }

  /** The live entry of this key, past `until` or not. */
  get(kind: DenylistKind, value: string): DenylistEntry | undefined {
    const stored = this.#live[kind].get(value);
    return stored && toEntry(kind, value, stored);
  }

  /**
   * What the list says of a subject at `nowMs` (milliseconds since the epoch): the first entry in the order certificate,
   * serial, key, device, token, network, those of mode `deny` before those of mode `recovery`; undefined = nothing.
   */
  match(subject: DenylistSubject, nowMs: number): DenylistEntry | undefined {
    if (this.#count === 0) return undefined;
    let recovery: DenylistEntry | undefined;
    for (const [kind, value] of this.#candidates(subject)) {
      const stored = this.#live[kind].get(value);
      if (!stored || nowMs >= stored.untilMs) continue;
      if (stored.mode === 'deny') return toEntry(kind, value, stored);
      recovery ??= toEntry(kind, value, stored);
    }
    return recovery;
  }

  *#candidates(subject: DenylistSubject): Generator<readonly [DenylistKind, string]> {
    if (subject.thumbprint !== undefined) yield ['certificate', subject.thumbprint];
    if (subject.tokenThumbprint !== undefined) yield ['certificate', subject.tokenThumbprint];
    if (subject.serial !== undefined) yield ['serial', subject.serial];
    if (subject.keyThumbprint !== undefined) yield ['key', subject.keyThumbprint];
    if (subject.deviceId !== undefined) yield ['device', subject.deviceId];
    if (subject.tokenId !== undefined) yield ['token', subject.tokenId];
    if (subject.remoteAddress === undefined) return;
    for (const network of this.#networks.find(subject.remoteAddress)) yield ['network', network];
  }

  #remove(entry: DenylistEntry, known: Stored | undefined, key: string): Applied {
    this.#tombstones.set(key, entry.sequence);
    if (!known) return NOTHING;
    this.#live[entry.kind].delete(entry.value);
    this.#toggle(entry.kind, entry.value, known.mode);
    this.#count -= 1;
    if (entry.kind === 'network') this.#networks.delete(entry.value);
    return CHANGED;
  }

  /** XOR is its own inverse: adds what was not in the digest, takes out what was. */
  #toggle(kind: DenylistKind, value: string, mode: DenylistMode): void {
    const bytes = entryHash(kind, value, mode);
    for (let i = 0; i < 32; i += 1) this.#digest[i] = (this.#digest[i] ?? 0) ^ (bytes[i] ?? 0);
  }

  /** Reasons repeat; a million copies of one word are not kept. */
  #intern(reason: string): string {
    const known = this.#reasons.get(reason);
    if (known !== undefined) return known;
    if (this.#reasons.size < 1024) this.#reasons.set(reason, reason);
    return reason;
  }
}

function toEntry(kind: DenylistKind, value: string, stored: Stored): DenylistEntry {
  const { mode, reason, sequence, untilMs } = stored;
  const until = Number.isFinite(untilMs) ? { until: new Date(untilMs).toISOString() } : {};
  return { kind, value, mode, reason, sequence, ...until };
}

/** True where this entry, by itself, names the subject: what decides which live connections a new entry closes. */
export function entryNames(entry: DenylistEntry, subject: DenylistSubject): boolean {
  switch (entry.kind) {
    case 'certificate':
      return entry.value === subject.thumbprint || entry.value === subject.tokenThumbprint;
    case 'serial':
      return entry.value === subject.serial;
    case 'key':
      return entry.value === subject.keyThumbprint;
    case 'device':
      return entry.value === subject.deviceId;
    case 'token':
      return entry.value === subject.tokenId;
    case 'network': {
      const one = new NetworkIndex();
      one.add(entry.value);
      return subject.remoteAddress !== undefined && one.find(subject.remoteAddress).length > 0;
    }
  }
}
