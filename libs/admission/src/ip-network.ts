/** Parses IP addresses and CIDR networks and decides which networks hold an address. */

/** An address as a number. IPv4-mapped IPv6 addresses (`::ffff:a.b.c.d`, what a dual-stack socket reports) count as IPv4. */
export interface IpAddress {
  readonly bits: 32 | 128;
  readonly number: bigint;
}

/** `number`: the network's address, host bits cleared. */
export interface IpNetwork extends IpAddress {
  readonly prefix: number;
}

const MAPPED = 0xffffn;

/** Undefined for anything that is no address; a zone (`%eth0`) is ignored. */
export function parseAddress(text: string): IpAddress | undefined {
  const zone = text.indexOf('%');
  const bare = zone < 0 ? text : text.slice(0, zone);
  if (!bare.includes(':')) {
    const v4 = parseV4(bare);
    return v4 === undefined ? undefined : { bits: 32, number: v4 };
  }
  const v6 = parseV6(bare);
  if (v6 === undefined) return undefined;
  if (v6 >> 32n === MAPPED) return { bits: 32, number: v6 & 0xffff_ffffn };
  return { bits: 128, number: v6 };
}

/** `address` or `address/prefix`; host bits are cleared. Undefined for anything else. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const [host = '', prefixText, ...rest] = text.split('/');
  if (rest.length > 0) return undefined;
  const address = parseAddress(host);
  if (!address) return undefined;
  if (prefixText === undefined) return { ...address, prefix: address.bits };
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(prefixText)) return undefined;
  // `::ffff:10.0.0.0/104` counts the 96 bits in front of the mapped address.
  const prefix = Number(prefixText) - (address.bits === 32 && host.includes(':') ? 96 : 0);
  if (prefix < 0 || prefix > address.bits) return undefined;
  return { bits: address.bits, number: maskAddress(address, prefix), prefix };
}

/** The address with all but its first `prefix` bits cleared. */
export function maskAddress(address: IpAddress, prefix: number): bigint {
  const hostBits = BigInt(address.bits - prefix);
  return (address.number >> hostBits) << hostBits;
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let number = 0n;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    number = (number << 8n) | BigInt(part);
  }
  return number;
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail];
  return groups.reduce((number, group) => (number << 16n) | BigInt(group), 0n);
}

/** `last`: these groups end the address, where a dotted IPv4 tail may stand. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (last && index === parts.length - 1 && part.includes('.')) {
      const v4 = parseV4(part);
      if (v4 === undefined) return undefined;
      groups.push(Number(v4 >> 16n), Number(v4 & 0xffffn));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/** Networks by prefix length: a look-up costs one map access per length in use, however many networks there are. */
export class NetworkIndex {
  readonly #byPrefix = new Map<string, { prefix: number; bits: 32 | 128; values: Map<bigint, string[]> }>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a CIDR text; one that cannot be parsed is not indexed and matches nothing. */
  add(text: string): void {
    const network = parseNetwork(text);
    if (!network) return;
    const id = `${network.bits}/${network.prefix}`;
    const group = this.#byPrefix.get(id) ?? { prefix: network.prefix, bits: network.bits, values: new Map() };
    this.#byPrefix.set(id, group);
    const texts = group.values.get(network.number) ?? [];
    if (texts.includes(text)) return;
    group.values.set(network.number, [...texts, text]);
    this.#size += 1;
  }

  delete(text: string): void {
    const network = parseNetwork(text);
    if (!network) return;
    const id = `${network.bits}/${network.prefix}`;
    const group = this.#byPrefix.get(id);
    const texts = group?.values.get(network.number);
    if (!group || !texts?.includes(text)) return;
    const left = texts.filter((other) => other !== text);
    if (left.length > 0) group.values.set(network.number, left);
    else group.values.delete(network.number);
    if (group.values.size === 0) this.#byPrefix.delete(id);
    this.#size -= 1;
  }

  /** The texts of all networks that hold the address; none for what is no address. */
  find(addressText: string): string[] {
    if (this.#size === 0) return [];
    const address = parseAddress(addressText);
    if (!address) return [];
    const found: string[] = [];
    for (const { prefix, bits, values } of this.#byPrefix.values()) {
      if (bits === address.bits) found.push(...(values.get(maskAddress(address, prefix)) ?? []));
    }
    return found;
  }
}
