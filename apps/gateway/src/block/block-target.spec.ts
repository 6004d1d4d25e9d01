import { describe, expect, it, test } from '@jest/globals';
import { parseNetwork } from '@outrider/admission';
import { DeviceId, JwtId, Thumbprint } from '@outrider/ids';
import fc from 'fast-check';
import { BlockBody, expiryOf } from './block-request.js';
import { membersOf, nameOf, networkText, targetNamed, targetOf } from './block-target.js';

const device_id = DeviceId.parse('device-1');
const thumbprint = Thumbprint.parse(`${'t'.repeat(42)}A`);
const token_id = JwtId.parse('jti:1');
const withCode = (code: string) => expect.objectContaining({ code });

describe('a target', () => {
  test.each([
    [{ device_id }, 'device', 'device-1'],
    [{ device_id, thumbprint }, 'device', 'device-1'],
    [{ thumbprint }, 'certificate', `certificate:${thumbprint}`],
    [{ network: '10.1.2.3/8' }, 'network', 'network:10.0.0.0/8'],
    [{ token_id }, 'token', 'token:jti:1'],
  ])('%j is a %s, kept as %s', (named, kind, name) => {
    const target = targetOf(named);
    expect([target.kind, nameOf(target)]).toEqual([kind, name]);
    expect(targetNamed(target.kind, name)).toEqual(target);
    expect(targetOf(membersOf(target))).toEqual(target);
  });

  it('is one', () => {
    expect(() => targetOf({})).toThrow(withCode('gateway.target_missing'));
    expect(() => targetOf({ device_id, network: '192.0.2.1' })).toThrow(withCode('request.invalid'));
    expect(() => targetOf({ thumbprint, token_id })).toThrow(withCode('request.invalid'));
  });
});

describe('a network', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7/32'],
    ['::ffff:192.0.2.7', '192.0.2.7/32'],
    ['2001:DB8:0:0::1', '2001:db8::1/128'],
    ['2001:db8:1:2:3::/64', '2001:db8:1:2::/64'],
  ])('%s is written %s', (text, written) => {
    expect(networkText(text)).toBe(written);
  });

  test.each(['0.0.0.0/0', '10.0.0.0/7', '::/0', '2000::/23'])('%s is too wide', (text) => {
    expect(() => networkText(text)).toThrow(withCode('gateway.network_refused'));
  });

  test.each(['10.0.0.0/33', 'localhost', '1.2.3', ''])('%j is none', (text) => {
    expect(() => networkText(text)).toThrow(withCode('request.invalid'));
  });

  it('is the same network however it is written', () => {
    const v6 = fc.tuple(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.integer({ min: 24, max: 128 }));
    fc.assert(
      fc.property(v6, ([number, prefix]) => {
        const groups = Array.from({ length: 8 }, (_, i) => ((number >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
        const text = `${groups.join(':')}/${prefix}`;
        const before = parseNetwork(text);
        // What maps an IPv4 address is one.
        fc.pre(before?.bits === 128);
        expect(parseNetwork(networkText(text))).toEqual(before);
      }),
    );
  });
});

describe('expiryOf', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const body = (more: object) => BlockBody.parse({ device_id, ...more });
  it('takes an instant or seconds, ahead', () => {
    expect(expiryOf(body({}), 'device', now)).toBeUndefined();
    expect(expiryOf(body({ expires_in: '60' }), 'device', now)).toEqual(new Date('2026-01-01T00:01:00Z'));
    expect(expiryOf(body({ expires_at: '2026-01-01T01:00:00+00:30' }), 'device', now)).toEqual(
      new Date('2026-01-01T00:30:00Z'),
    );
    expect(expiryOf(body({}), 'token', now)).toEqual(new Date('2026-01-03T00:00:00Z'));
    expect(() => expiryOf(body({ expires_at: '2025-01-01T00:00:00Z' }), 'device', now)).toThrow(
      withCode('request.invalid'),
    );
    const both = body({ expires_at: '2026-02-01T00:00:00Z', expires_in: 1 });
    expect(() => expiryOf(both, 'device', now)).toThrow(withCode('request.invalid'));
  });
});
