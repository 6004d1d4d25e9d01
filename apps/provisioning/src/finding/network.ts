/** Which network an address is of: coarse enough that one network's addresses change under a vehicle without notice. */
import { z } from 'zod';

/** `10.1.2.3` -> `10.1.2.0/24`; of IPv6 the first 48 bits; an IPv4 address mapped into IPv6 counts as itself; anything else as it stands. */
export function networkOf(remoteAddress: string): string {
  const address = remoteAddress.replace(/%.*$/, '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address;
  if (z.ipv4().safeParse(mapped).success) return `${mapped.split('.').slice(0, 3).join('.')}.0/24`;
  if (z.ipv6().safeParse(address).success) return `${groups(address).slice(0, 3).join(':')}::/48`;
  return remoteAddress;
}

/** The eight groups without leading zeros, `::` written out. */
function groups(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const parse = (text: string) => (text === '' ? [] : text.split(':'));
  const [left, right] = [parse(head), parse(tail ?? '')];
  const zeros = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16).toString(16));
}
