import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { decideEpoch, RAISE_INTERVAL_MS } from './epoch.js';

const NOW = 1_800_000_000_000;

describe('decideEpoch', () => {
  test.each([
    { name: 'the present epoch', state: [3, 0, undefined], epoch: 3, expected: 'current' },
    { name: 'an earlier one', state: [3, 0, undefined], epoch: 2, expected: 'stale' },
    { name: 'one further, never raised before', state: [3, 0, undefined], epoch: 4, expected: 'raised' },
    {
      name: 'one further, an hour after the last',
      state: [3, 0, NOW - RAISE_INTERVAL_MS],
      epoch: 4,
      expected: 'raised',
    },
    {
      name: 'one further, a millisecond too soon',
      state: [3, 0, NOW - RAISE_INTERVAL_MS + 1],
      epoch: 4,
      expected: 'refused',
    },
    { name: 'two further', state: [3, 0, undefined], epoch: 5, expected: 'refused' },
    { name: 'the one ordered', state: [3, 9, undefined], epoch: 9, expected: 'ordered' },
    { name: 'the one ordered, just after a raise', state: [3, 9, NOW], epoch: 9, expected: 'ordered' },
    { name: 'between its own and the one ordered', state: [3, 9, undefined], epoch: 5, expected: 'stale' },
    { name: 'its own, below the one ordered', state: [3, 9, undefined], epoch: 3, expected: 'stale' },
    { name: 'one beyond the one ordered', state: [3, 9, undefined], epoch: 10, expected: 'raised' },
    { name: 'a minimum that is behind', state: [3, 1, undefined], epoch: 3, expected: 'current' },
  ] as const)('$name: $expected', ({ state: [epoch0, minEpoch, raisedAtMs], epoch, expected }) => {
    expect(decideEpoch({ epoch: epoch0, minEpoch, raisedAtMs }, epoch, NOW)).toBe(expected);
  });

  it('never lets an epoch below the minimum or below the present one through', () => {
    const anyEpoch = fc.nat(50);
    fc.assert(
      fc.property(anyEpoch, anyEpoch, anyEpoch, (epoch, minEpoch, asked) => {
        const decision = decideEpoch({ epoch, minEpoch, raisedAtMs: undefined }, asked, NOW);
        expect(decision === 'stale').toBe(asked < Math.max(epoch, minEpoch));
      }),
    );
  });
});
