import { BlockList, isIP } from 'node:net';
import { expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { NetworkIndex, parseAddress, parseNetwork } from './ip-network.js';

test.each([
  '',
  '1.2.3',
  '1.2.3.4.5',
  '01.2.3.4',
  '256.0.0.1',
  '1.2.3.4/33',
  '::/129',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '12345::',
  'x',
  '1.2.3.4/',
  '1.2.3.4/08',
  '::1.2.3',
  '1.2.3.4::',
  '10.0.0.0/8/8',
  '::ffff:1.2.3.4/95',
])('takes %p for no network', (text) => expect(parseNetwork(text)).toBeUndefined());

it('clears host bits, and takes a mapped network for IPv4', () => {
  expect(parseNetwork('10.1.2.3/8')).toEqual(parseNetwork('10.0.0.0/8'));
  expect(parseNetwork('::ffff:10.0.0.0/104')).toEqual(parseNetwork('10.0.0.0/8'));
});

test('an address parses where Node says it is one', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      fc.pre(isIP(text) !== 0);
      expect(parseAddress(text)).toBeDefined();
    }),
  );
});

// Node takes an IPv4 address for a member of IPv6 networks that hold its mapped form; here IPv6 networks hold IPv6 addresses alone.
test.each([
  ['ipv4', fc.ipV4(), 32],
  ['ipv6', fc.ipV6(), 128],
] as const)('membership agrees with Node in %s', (family, host, bits) => {
  const own = host.filter((text) => isIP(text) !== 0 && parseAddress(text)?.bits === bits);
  const network = fc.tuple(own, fc.oneof(fc.integer({ min: 0, max: bits }), fc.integer({ min: 0, max: 4 })));
  fc.assert(
    fc.property(fc.array(network, { maxLength: 4 }), own, fc.boolean(), (networks, stranger, inside) => {
      const address = inside ? (networks[0]?.[0] ?? stranger) : stranger;
      const index = new NetworkIndex();
      const oracle = new BlockList();
      for (const [text, prefix] of networks) {
        index.add(`${text}/${prefix}`);
        oracle.addSubnet(text, prefix, family);
      }
      expect(index.find(address).length > 0).toBe(oracle.check(address, family));
    }),
  );
});

test('what is taken out is gone, what is left stays', () => {
  const index = new NetworkIndex();
  index.add('10.0.0.0/8');
  index.add('10.9.9.9/8');
  index.add('10.1.0.0/16');
  index.delete('10.0.0.0/8');
  expect(index.find('10.1.0.1').sort()).toEqual(['10.1.0.0/16', '10.9.9.9/8']);
  index.delete('10.9.9.9/8');
  index.delete('10.1.0.0/16');
  expect(index.find('10.1.0.1')).toEqual([]);
  expect(index.size).toBe(0);
});
