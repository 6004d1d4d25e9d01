/** GeneralNames (RFC 5280 §4.2.1.6): the forms we act on by value, all others by tag, so that none passes unseen. */
import { type DerNode, malformed } from './der-read.js';
import { asciiOf } from './der-values.js';
import { contextPrimitive, sequence } from './der-write.js';

export interface GeneralNames {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** Dotted IPv4, or eight lower-case hex groups for IPv6. */
  readonly ipAddresses: readonly string[];
  /** Context tags of the other forms present: otherName 0, rfc822Name 1, directoryName 4, ... */
  readonly otherForms: readonly number[];
}

export const NO_NAMES: GeneralNames = Object.freeze({ uris: [], dnsNames: [], ipAddresses: [], otherForms: [] });

export function readGeneralNames(nodes: readonly DerNode[], what: string): GeneralNames {
  const uris: string[] = [];
  const dnsNames: string[] = [];
  const ipAddresses: string[] = [];
  const otherForms: number[] = [];
  for (const node of nodes) {
    if (node.tag === 0x86) uris.push(asciiOf(node.content, what));
    else if (node.tag === 0x82) dnsNames.push(asciiOf(node.content, what));
    else if (node.tag === 0x87) ipAddresses.push(ipText(node.content, what));
    else if ((node.tag & 0xc0) === 0x80 && (node.tag & 0x1f) <= 8) otherForms.push(node.tag & 0x1f);
    else throw malformed(`${what} holds something that is no GeneralName`);
  }
  return { uris, dnsNames, ipAddresses, otherForms };
}

function ipText(content: Uint8Array, what: string): string {
  if (content.length === 4) return content.join('.');
  if (content.length !== 16) throw malformed(`${what}: an IP address of ${content.length} bytes`);
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((content[i * 2] ?? 0) * 256 + (content[i * 2 + 1] ?? 0)).toString(16),
  );
  return groups.join(':');
}

export function encodeGeneralNames(names: Omit<GeneralNames, 'otherForms'>): Uint8Array {
  return sequence(
    ...names.dnsNames.map((name) => contextPrimitive(2, Buffer.from(name, 'latin1'))),
    ...names.ipAddresses.map((address) => contextPrimitive(7, ipBytes(address))),
    ...names.uris.map((uri) => contextPrimitive(6, Buffer.from(uri, 'latin1'))),
  );
}

/** The one spelling that certificates are read with: `::1` becomes `0:0:0:0:0:0:0:1`. */
export function canonicalIpAddress(address: string): string {
  return ipText(ipBytes(address), 'IP address');
}

/** Bytes of a dotted IPv4 or an IPv6 address, `::` allowed. */
export function ipBytes(address: string): Uint8Array {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(address)) {
    const octets = address.split('.').map(Number);
    if (octets.some((octet) => octet > 255)) throw malformed(`no IP address: ${address}`);
    return Uint8Array.from(octets);
  }
  const [head = '', tail, ...more] = address.toLowerCase().split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = 8 - front.length - back.length;
  const valid = more.length === 0 && (tail === undefined ? missing === 0 : missing >= 1);
  const groups = [...front, ...Array.from({ length: Math.max(0, missing) }, () => '0'), ...back];
  if (!valid || !groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) throw malformed(`no IP address: ${address}`);
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}
