/** Keeps denylist entries as rows in pages of bytes, found by their value: exact, some 75 bytes an entry, no object for any of them. */
import type { EncodedValue } from './entry-bytes.js';

/** 256 KiB: small enough for a list of a few entries, large enough for one of a million. */
const PAGE_UNITS = 32_768;
const PAGE_SHIFT = 15;
/** Bytes before the value: sequence 8, until 8, hash 4, reason 4, flags and length 4. */
const HEAD_BYTES = 28;
const HEAD_WORDS = 7;
const TABLES = 256;
const FIRST_SLOTS = 4;

/** Bits of a row's flags, beside the tag in the lowest five. */
const RECOVERY = 1 << 5;
const REMOVED = 1 << 6;
const USED = 1 << 7;

interface Page {
  readonly doubles: Float64Array;
  readonly words: Uint32Array;
  readonly bytes: Buffer;
  /** Units given out, from the page's beginning. */
  used: number;
}

/** `tags`: eight bits of each row's hash, so that a search looks into hardly any row but the one it looks for. */
interface Table {
  readonly slots: Uint32Array;
  readonly tags: Uint8Array;
}

/** What a row says, beside its value. `untilMs`: Infinity: for ever. */
export interface RowFacts {
  sequence: number;
  untilMs: number;
  reason: number;
  isRecovery: boolean;
  isRemoved: boolean;
}

/** A row is named by where it lies, in units of eight bytes plus one: 0 is none. */
export type Row = number;

/**
 * An open-addressing hash table in 256 parts, each grown by itself, so that no single insert ever costs more than some ten
 * microseconds; rows do not move. A freed row's place is given to the next one of its size.
 */
export class EntryRows {
  readonly #pages: Page[] = [];
  readonly #tables: (Table | undefined)[] = new Array(TABLES).fill(undefined);
  readonly #counts = new Uint32Array(TABLES);
  readonly #free: (Row[] | undefined)[] = [];
  #size = 0;

  /** Rows held, live or not. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of memory held for rows and tables, free places among them. */
  get bytes(): number {
    const tables = this.#tables.reduce((sum, table) => sum + (table?.slots.length ?? 0) * 5, 0);
    return this.#pages.length * PAGE_UNITS * 8 + tables;
  }

  /** The same rows under the same names, in memory of their own. */
  clone(): EntryRows {
    const copy = new EntryRows();
    for (const { bytes, used } of this.#pages) {
      const page = newPage();
      page.bytes.set(bytes);
      page.used = used;
      copy.#pages.push(page);
    }
    for (const [part, table] of this.#tables.entries()) {
      copy.#tables[part] = table && { slots: table.slots.slice(), tags: table.tags.slice() };
    }
    for (const [units, free] of this.#free.entries()) copy.#free[units] = free?.slice();
    copy.#counts.set(this.#counts);
    copy.#size = this.#size;
    return copy;
  }

  find(value: EncodedValue): Row {
    const hash = value.hash();
    const table = this.#tables[hash >>> 24];
    if (!table) return 0;
    const { slots, tags } = table;
    const mask = slots.length - 1;
    const tag = tagOf(hash);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot] as number;
      if (row === 0 || (tags[slot] === tag && this.#holds(row, hash, value))) return row;
    }
  }

  /** A new row for a value that is not there. Its facts are the caller's to set. */
  insert(value: EncodedValue): Row {
    const hash = value.hash();
    const units = unitsOf(value.length);
    const row = this.#free[units]?.pop() ?? this.#allocate(units);
    const page = this.#page(row);
    const at = unitIn(row);
    page.words[at * 2 + 4] = hash;
    page.words[at * 2 + 6] = value.tag | USED | (value.length << 16);
    const words = (value.length + 3) >> 2;
    for (let i = 0; i < words; i += 1) page.words[at * 2 + HEAD_WORDS + i] = value.words[i] as number;
    this.#file(row, hash);
    this.#size += 1;
    return row;
  }

  delete(row: Row): void {
    const page = this.#page(row);
    const at = unitIn(row);
    const hash = page.words[at * 2 + 4] as number;
    const flags = page.words[at * 2 + 6] as number;
    this.#unfile(row, hash);
    page.words[at * 2 + 6] = flags & ~USED;
    const units = unitsOf(flags >>> 16);
    const free = this.#free[units] ?? [];
    this.#free[units] = free;
    free.push(row);
    this.#size -= 1;
  }

  /** Fills `facts`. */
  read(row: Row, facts: RowFacts): void {
    const page = this.#page(row);
    const at = unitIn(row);
    facts.sequence = page.doubles[at] as number;
    facts.untilMs = page.doubles[at + 1] as number;
    facts.reason = page.words[at * 2 + 5] as number;
    const flags = page.words[at * 2 + 6] as number;
    facts.isRecovery = (flags & RECOVERY) !== 0;
    facts.isRemoved = (flags & REMOVED) !== 0;
  }

  write(row: Row, facts: RowFacts): void {
    const page = this.#page(row);
    const at = unitIn(row);
    page.doubles[at] = facts.sequence;
    page.doubles[at + 1] = facts.untilMs;
    page.words[at * 2 + 5] = facts.reason;
    const flags = (page.words[at * 2 + 6] as number) & ~(RECOVERY | REMOVED);
    page.words[at * 2 + 6] = flags | (facts.isRecovery ? RECOVERY : 0) | (facts.isRemoved ? REMOVED : 0);
  }

  /** Copies the row's value out. */
  valueOf(row: Row, into: EncodedValue): void {
    const page = this.#page(row);
    const at = unitIn(row);
    const flags = page.words[at * 2 + 6] as number;
    into.take(page.bytes, at * 8 + HEAD_BYTES, flags >>> 16, flags & 31);
  }

  /** All rows, in the order of their places. Between two of them the caller may change anything: a row changed meanwhile comes or does not. */
  *rows(): Generator<Row> {
    for (let p = 0; p < this.#pages.length; p += 1) {
      const page = this.#pages[p] as Page;
      for (let at = 0; at < page.used; ) {
        const flags = page.words[at * 2 + 6] as number;
        if ((flags & USED) !== 0) yield ((p << PAGE_SHIFT) | at) + 1;
        at += unitsOf(flags >>> 16);
      }
    }
  }

  #holds(row: Row, hash: number, value: EncodedValue): boolean {
    const { words } = this.#page(row);
    const at = unitIn(row) * 2;
    if (words[at + 4] !== hash) return false;
    const flags = words[at + 6] as number;
    if ((flags & 31) !== value.tag || flags >>> 16 !== value.length) return false;
    const end = (value.length + 3) >> 2;
    for (let i = 0; i < end; i += 1) if (words[at + HEAD_WORDS + i] !== value.words[i]) return false;
    return true;
  }

  #allocate(units: number): Row {
    let last = this.#pages.length - 1;
    const page = this.#pages[last];
    if (!page || page.used + units > PAGE_UNITS) {
      last = this.#pages.push(newPage()) - 1;
    }
    const open = this.#pages[last] as Page;
    const at = open.used;
    open.used += units;
    return ((last << PAGE_SHIFT) | at) + 1;
  }

  #file(row: Row, hash: number): void {
    const part = hash >>> 24;
    let table = this.#tables[part] ?? newTable(FIRST_SLOTS);
    const count = (this.#counts[part] as number) + 1;
    if (count * 4 > table.slots.length * 3) {
      const larger = newTable(table.slots.length * 2);
      for (const held of table.slots) {
        if (held !== 0) place(larger, held, this.#page(held).words[unitIn(held) * 2 + 4] as number);
      }
      table = larger;
    }
    this.#tables[part] = table;
    this.#counts[part] = count;
    place(table, row, hash);
  }

  /** Closes the gap: whoever stands behind it and may stand in it moves up, so that no search ends too early. */
  #unfile(row: Row, hash: number): void {
    const part = hash >>> 24;
    const { slots, tags } = this.#tables[part] as Table;
    const mask = slots.length - 1;
    let gap = hash & mask;
    while (slots[gap] !== row) gap = (gap + 1) & mask;
    for (let next = (gap + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const held = slots[next] as number;
      const home = (this.#page(held).words[unitIn(held) * 2 + 4] as number) & mask;
      if (((next - home) & mask) < ((next - gap) & mask)) continue;
      slots[gap] = held;
      tags[gap] = tags[next] as number;
      gap = next;
    }
    slots[gap] = 0;
    this.#counts[part] = (this.#counts[part] as number) - 1;
  }

  #page(row: Row): Page {
    return this.#pages[(row - 1) >>> PAGE_SHIFT] as Page;
  }
}

function newPage(): Page {
  const buffer = new ArrayBuffer(PAGE_UNITS * 8);
  return { doubles: new Float64Array(buffer), words: new Uint32Array(buffer), bytes: Buffer.from(buffer), used: 0 };
}

function unitIn(row: Row): number {
  return (row - 1) & (PAGE_UNITS - 1);
}

function unitsOf(valueBytes: number): number {
  return (HEAD_BYTES + valueBytes + 7) >> 3;
}

function newTable(slots: number): Table {
  return { slots: new Uint32Array(slots), tags: new Uint8Array(slots) };
}

/** Bits that decide neither the part nor, in parts of up to 65,536 slots, the place in it. */
function tagOf(hash: number): number {
  return (hash >>> 16) & 0xff;
}

function place({ slots, tags }: Table, row: Row, hash: number): void {
  const mask = slots.length - 1;
  let slot = hash & mask;
  while (slots[slot] !== 0) slot = (slot + 1) & mask;
  slots[slot] = row;
  tags[slot] = tagOf(hash);
}
