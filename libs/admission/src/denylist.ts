/** Holds the denylist exactly, in memory, and decides what it says of a subject. */
import type { DenylistEntry, DenylistKind, DenylistMode, DenylistSubject } from './denylist-entry.js';
import { decodeValue, EncodedValue, KINDS } from './entry-bytes.js';
import { EntryRows, type Row, type RowFacts } from './entry-rows.js';
import { NetworkIndex } from './ip-network.js';
import { ListDigest } from './list-digest.js';
import { EntryPacker, unpackEntries } from './packed-entries.js';
import { ReasonTable } from './reason-table.js';

/** `changed`: the set of live entries or one of their attributes is another now. */
export interface Applied {
  readonly changed: boolean;
}

const NOTHING: Applied = { changed: false };
const CHANGED: Applied = { changed: true };

/** One change, its value lying encoded in the scratch place. */
interface Change {
  readonly mode: DenylistMode;
  readonly reason: string;
  readonly untilMs: number;
  readonly sequence: number;
  readonly removed: boolean;
}

/**
 * Exact, no false positives. State is a function of the entries applied, in whatever order: for each key the highest
 * sequence wins. Tombstones are remembered so that a late older entry does not come back. Some 75 bytes an entry.
 */
export class Denylist {
  #rows = new EntryRows();
  #reasons = new ReasonTable();
  #digest = new ListDigest();
  readonly #networks = new NetworkIndex();
  /** Live entries by kind. */
  readonly #counts: Record<DenylistKind, number> = {
    certificate: 0,
    serial: 0,
    key: 0,
    device: 0,
    token: 0,
    network: 0,
  };
  readonly #value = new EncodedValue();
  readonly #facts: RowFacts = { sequence: 0, untilMs: 0, reason: 0, isRecovery: false, isRemoved: false };
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

  /** Bytes of memory that the entries take, free places among them. */
  get bytes(): number {
    return this.#rows.bytes;
  }

  /**
   * 64 lower-case hex digits: the XOR of SHA-256(UTF-8 `<kind>.<value>.<mode>`) over all live entries, e.g. of the bytes
   * `device.device-12345.deny`; 64 zeros for an empty list. Order, reason, until and sequence do not enter.
   */
  get digest(): string {
    return this.#digest.hex;
  }

  /** Idempotent; an entry not newer than what is known of its key changes nothing. Throws RangeError for a value of more than 1,024 bytes. */
  apply(entry: DenylistEntry): Applied {
    const { kind, value, mode, reason, sequence } = entry;
    if (!this.#value.encode(kind, value)) throw new RangeError('a denylist value is too long');
    const untilMs = entry.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(entry.until);
    return this.#change(kind, value, { mode, reason, untilMs, sequence, removed: entry.removed === true });
  }

  /** Applies a chunk of `packed`. Returns the number of entries in it; throws RangeError where it is none, or not whole. */
  applyPacked(chunk: Uint8Array): number {
    const encoded = this.#value;
    return unpackEntries(chunk, encoded, ({ reason, untilMs, sequence, isRecovery }) => {
      const value = decodeValue(encoded.bytes, 0, encoded.length, encoded.tag);
      const mode = modeOf(isRecovery);
      this.#change(encoded.kind, value, { mode, reason, untilMs, sequence, removed: false });
    });
  }

  /** All live entries in chunks of at most `maxBytes`. Pulled over time, entries changed meanwhile come as they were or as they are. */
  *packed(maxBytes: number): Generator<Buffer> {
    const value = new EncodedValue();
    let packer = new EntryPacker(maxBytes);
    for (const row of this.#rows.rows()) {
      const { sequence, untilMs, reason, isRecovery, isRemoved } = this.#read(row);
      if (isRemoved) continue;
      this.#rows.valueOf(row, value);
      const facts = { sequence, untilMs, reason: this.#reasons.text(reason), isRecovery };
      if (packer.add(value, facts)) continue;
      yield packer.finish();
      packer = new EntryPacker(maxBytes);
      if (!packer.add(value, facts)) throw new RangeError('an entry is larger than a chunk');
    }
    if (packer.count > 0) yield packer.finish();
  }

  /** All entries of these kinds, tombstones too. Pulled over time, those changed meanwhile come as they were or as they are. */
  *entries(kinds: readonly DenylistKind[] = KINDS): Generator<DenylistEntry> {
    const value = new EncodedValue();
    for (const row of this.#rows.rows()) {
      this.#rows.valueOf(row, value);
      if (!kinds.includes(value.kind)) continue;
      const text = decodeValue(value.bytes, 0, value.length, value.tag);
      const entry = this.#entry(value.kind, text, this.#read(row));
      yield this.#facts.isRemoved ? { ...entry, removed: true } : entry;
    }
  }

  /** A list of its own with the same content. */
  clone(): Denylist {
    const copy = new Denylist();
    copy.#rows = this.#rows.clone();
    copy.#reasons = this.#reasons.clone();
    copy.#digest = this.#digest.clone();
    Object.assign(copy.#counts, this.#counts);
    if (this.#counts.network > 0)
      for (const { value, removed } of this.entries(['network'])) if (!removed) copy.#networks.add(value);
    copy.#count = this.#count;
    copy.#sequence = this.#sequence;
    return copy;
  }

  /** Raises `sequence` to one that is known to be covered by what is held (a heartbeat whose digest agreed). */
  advance(sequence: number): void {
    if (sequence > this.#sequence) this.#sequence = sequence;
  }

  /** Forgets a tombstone whose record is gone from its store for good. */
  forgetTombstone(kind: DenylistKind, value: string): void {
    const row = this.#find(kind, value);
    if (row === 0 || !this.#read(row).isRemoved) return;
    this.#reasons.drop(this.#facts.reason);
    this.#rows.delete(row);
  }

  /** Forgets all of them. */
  forgetTombstones(): void {
    for (const row of this.#rows.rows()) {
      if (!this.#read(row).isRemoved) continue;
      this.#reasons.drop(this.#facts.reason);
      this.#rows.delete(row);
    }
  }

  /** The live entry of this key, past `until` or not. */
  get(kind: DenylistKind, value: string): DenylistEntry | undefined {
    const row = this.#find(kind, value);
    if (row === 0 || this.#read(row).isRemoved) return undefined;
    return this.#entry(kind, value, this.#facts);
  }

  /** The sequence of the newest entry of this key, tombstone or not; 0 where there is none. */
  sequenceOf(kind: DenylistKind, value: string): number {
    const row = this.#find(kind, value);
    return row === 0 ? 0 : this.#read(row).sequence;
  }

  /**
   * What the list says of a subject at `nowMs` (milliseconds since the epoch): the first entry in the order certificate,
   * serial, key, device, token, network, those of mode `deny` before those of mode `recovery`; undefined = nothing.
   */
  match(subject: DenylistSubject, nowMs: number): DenylistEntry | undefined {
    if (this.#count === 0) return undefined;
    let recovery: DenylistEntry | undefined;
    for (const [kind, member] of ORDER) {
      const value = subject[member];
      const found = value === undefined ? undefined : this.#standing(kind, value, nowMs);
      if (found?.mode === 'deny') return found;
      recovery ??= found;
    }
    if (this.#counts.network === 0 || subject.remoteAddress === undefined) return recovery;
    for (const network of this.#networks.find(subject.remoteAddress)) {
      const found = this.#standing('network', network, nowMs);
      if (found?.mode === 'deny') return found;
      recovery ??= found;
    }
    return recovery;
  }

  #standing(kind: DenylistKind, value: string, nowMs: number): DenylistEntry | undefined {
    if (this.#counts[kind] === 0) return undefined;
    const row = this.#find(kind, value);
    if (row === 0) return undefined;
    const { isRemoved, untilMs } = this.#read(row);
    return isRemoved || nowMs >= untilMs ? undefined : this.#entry(kind, value, this.#facts);
  }

  #find(kind: DenylistKind, value: string): Row {
    return this.#value.encode(kind, value) ? this.#rows.find(this.#value) : 0;
  }

  /** The row's facts, in a place that is used again. */
  #read(row: Row): RowFacts {
    this.#rows.read(row, this.#facts);
    return this.#facts;
  }

  #entry(kind: DenylistKind, value: string, { isRecovery, reason, sequence, untilMs }: RowFacts): DenylistEntry {
    const mode = modeOf(isRecovery);
    const until = Number.isFinite(untilMs) ? { until: new Date(untilMs).toISOString() } : {};
    return { kind, value, mode, reason: this.#reasons.text(reason), sequence, ...until };
  }

  /** `value` lies encoded in the scratch place. */
  #change(kind: DenylistKind, value: string, change: Change): Applied {
    const { sequence, removed } = change;
    if (sequence > this.#sequence) this.#sequence = sequence;
    const found = this.#rows.find(this.#value);
    const known = found === 0 ? undefined : this.#read(found);
    if (known && sequence <= known.sequence) return NOTHING;
    const before = known && !known.isRemoved ? modeOf(known.isRecovery) : undefined;
    const after = removed ? undefined : change.mode;
    if (known) this.#reasons.drop(known.reason);
    if (before !== after) {
      if (before) this.#digest.toggle(kind, value, before);
      if (after) this.#digest.toggle(kind, value, after);
    }
    this.#number(kind, value, Number(after !== undefined) - Number(before !== undefined));
    const facts = {
      sequence,
      untilMs: change.untilMs,
      reason: this.#reasons.take(change.reason),
      isRecovery: change.mode === 'recovery',
      isRemoved: removed,
    };
    this.#rows.write(found === 0 ? this.#rows.insert(this.#value) : found, facts);
    return before === undefined && after === undefined ? NOTHING : CHANGED;
  }

  #number(kind: DenylistKind, value: string, more: number): void {
    this.#count += more;
    this.#counts[kind] += more;
    if (kind !== 'network' || more === 0) return;
    if (more > 0) this.#networks.add(value);
    else this.#networks.delete(value);
  }
}

/** Who asks about a subject, in which order; networks come last. */
const ORDER = [
  ['certificate', 'thumbprint'],
  ['certificate', 'tokenThumbprint'],
  ['serial', 'serial'],
  ['key', 'keyThumbprint'],
  ['device', 'deviceId'],
  ['token', 'tokenId'],
] as const satisfies readonly (readonly [DenylistKind, keyof DenylistSubject])[];

function modeOf(isRecovery: boolean): DenylistMode {
  return isRecovery ? 'recovery' : 'deny';
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
