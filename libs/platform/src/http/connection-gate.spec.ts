import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { ConnectionGate, type ConnectionLimits } from './connection-gate.js';

const LIMITS: ConnectionLimits = {
  connections: 100,
  connectionsPerAddress: 10,
  handshakes: 4,
  handshakesPerAddress: 2,
  exempt: ['192.0.2.0/24'],
};
type Connection = { readonly name: string };

function gate(more: Partial<ConnectionLimits> = {}) {
  const made = new ConnectionGate<Connection>({ ...LIMITS, ...more });
  const come = (address: string, count: number) =>
    Array.from({ length: count }, (_, n) => {
      const connection = { name: `${address} ${n}` };
      return { connection, refused: made.arrive(connection, address) };
    });
  const begun = () => {
    const names: string[] = [];
    for (let one = made.next(); one; one = made.next()) names.push(one.name);
    return names;
  };
  return { gate: made, come, begun };
}

describe('ConnectionGate', () => {
  it('takes so many connections of one address, and of all; an IPv6 /64 is one address, a mapped IPv4 one is itself', () => {
    const { come, gate: made } = gate({ connections: 25 });
    expect(
      come('10.0.0.1', 11)
        .map(({ refused }) => refused)
        .slice(9),
    ).toEqual([undefined, 'address']);
    expect(made.arrive({ name: 'mapped' }, '::ffff:a00:2')).toBeUndefined();
    expect(come('2001:db8::1', 9).at(-1)?.refused).toBeUndefined();
    expect(come('2001:db8::2:1', 2).map(({ refused }) => refused)).toEqual([undefined, 'address']);
    expect(come('2001:db8:0:1::1', 4).map(({ refused }) => refused)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(come('10.0.0.3', 1)[0]?.refused).toBe('total');
  });

  it('begins handshakes address by address, so many at once', () => {
    const { come, begun, gate: made } = gate();
    const flood = come('10.0.0.1', 8);
    come('10.0.0.2', 1);
    expect(begun()).toEqual(['10.0.0.1 0', '10.0.0.2 0', '10.0.0.1 1']);
    come('10.0.0.3', 3);
    expect(begun()).toEqual(['10.0.0.3 0']);
    made.settle(flood[0]!.connection);
    made.settle(flood[0]!.connection);
    expect(begun()).toEqual(['10.0.0.1 2']);
    expect(made.waiting).toBe(7);
  });

  it('holds those who are exempt to no limit of one address', () => {
    const { come, begun } = gate();
    expect(come('192.0.2.9', 20).every(({ refused }) => refused === undefined)).toBe(true);
    expect(begun()).toHaveLength(4);
  });

  it('forgets who has gone, waiting or not', () => {
    const { come, begun, gate: made } = gate();
    const all = come('10.0.0.1', 5).map(({ connection }) => connection);
    begun();
    for (const one of all) made.leave(one);
    for (const one of all) made.leave(one);
    expect([made.open, made.waiting]).toEqual([0, 0]);
    expect(come('10.0.0.1', 10).every(({ refused }) => refused === undefined)).toBe(true);
    expect(begun()).toHaveLength(2);
  });

  test('never has more under way than it may, and starves nobody', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('come' as const),
        address: fc.constantFrom('10.0.0.1', '10.0.0.2', '192.0.2.1', '::1'),
      }),
      fc.record({ kind: fc.constantFrom('settle' as const, 'leave' as const), pick: fc.nat(50) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const { gate: made, begun, come } = gate();
        const open: Connection[] = [];
        const under = new Set<string>();
        const look = () => {
          for (const name of begun()) under.add(name);
          expect(under.size).toBeLessThanOrEqual(4);
          const of = (address: string) => [...under].filter((name) => name.startsWith(`${address} `)).length;
          expect(Math.max(of('10.0.0.1'), of('10.0.0.2'), of('::1'))).toBeLessThanOrEqual(2);
        };
        let n = 0;
        for (const one of steps) {
          if (one.kind === 'come') {
            const connection = { name: `${one.address} ${n++}` };
            if (made.arrive(connection, one.address) === undefined) open.push(connection);
          } else {
            const connection = open[one.pick % Math.max(1, open.length)];
            if (!connection) continue;
            made[one.kind](connection);
            under.delete(connection.name);
            if (one.kind === 'leave') open.splice(open.indexOf(connection), 1);
          }
          look();
        }
        expect(made.open).toBe(open.length);
        // Whoever settles makes room: everybody's turn comes.
        const seen = new Set<string>();
        for (let round = 0; round <= open.length; round++) {
          look();
          for (const connection of open) {
            if (!under.has(connection.name)) continue;
            seen.add(connection.name);
            made.settle(connection);
            under.delete(connection.name);
          }
        }
        expect(made.waiting).toBe(0);
        come('10.0.0.9', 1);
        expect(begun()).toEqual(['10.0.0.9 0']);
      }),
    );
  });
});
