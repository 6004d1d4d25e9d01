/** Reads from a configuration where PostgreSQL is: one host, or several of which one takes writes. */

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** As written: one entry, entries with commas between, or a list of them. */
export type Hosts = string | readonly string[];

/** `[::1]:5433`, `pg-1.example:5433`, `pg-1.example`; an IPv6 address alone needs no brackets. */
const ENTRY = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]/@]+))(?::(\d{1,5}))?$/i;
const BARE_IPV6 = /^[0-9a-f]*:[0-9a-f.]*:[0-9a-f:.]*$/i;

/** Every address in the order written; `port` where an entry names none. Throws a RangeError that names an entry which is none. */
export function addressesOf({ host, port }: { readonly host: Hosts; readonly port: number }): readonly Address[] {
  const entries = (typeof host === 'string' ? host.split(',') : host).map((entry) => entry.trim());
  return entries.map((entry) => {
    if (BARE_IPV6.test(entry)) return { host: entry, port };
    const [, bracketed, name, own] = ENTRY.exec(entry) ?? [];
    const found = bracketed ?? name;
    const at = own === undefined ? port : Number(own);
    if (found === undefined || at < 1 || at > 65_535) throw new RangeError(`"${entry}" is not host or host:port`);
    return { host: found, port: at };
  });
}

/** False for text that `addressesOf` throws at. */
export function areAddresses(host: Hosts): boolean {
  try {
    return addressesOf({ host, port: 1 }).length > 0;
  } catch {
    return false;
  }
}
