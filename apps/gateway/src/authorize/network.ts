/** Decides what counts as one network for limits: an IPv4 address, or the /64 that a site of IPv6 has. */
import { parseNetwork } from '@outrider/admission';

/** @param address of a client, valid. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const network = parseNetwork(address);
  if (!network || network.bits === 32) return address;
  return `${(network.number >> 64n).toString(16)}::/64`;
}
