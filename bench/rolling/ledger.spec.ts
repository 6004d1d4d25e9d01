import { expect, it } from '@jest/globals';
import { Ledger, tally } from './ledger.js';

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const SINCE = Date.parse(at(0));

it('counts a vehicle as refused from its first failure to the next success, and for ever where there is none', () => {
  const ledger = new Ledger();
  ledger.take({ at: at(1), device: 'a', event: 'offline', service: 'telemetry', kind: 'cut' });
  ledger.take({ at: at(2), device: 'a', event: 'offline', service: 'command', kind: 'cut' });
  ledger.take({ at: at(3), device: 'a', event: 'online', service: 'telemetry' });
  ledger.take({ at: at(4), device: 'b', event: 'denied', service: 'command', code: 'auth.invalid_token' });
  ledger.take({ at: at(5), device: 'a', event: 'accepted', seq: 3, upTo: 5 });
  expect(ledger.outages(SINCE)).toEqual([
    { device: 'b', atMs: SINCE + 4000, ms: Number.POSITIVE_INFINITY, code: 'command auth.invalid_token denied' },
    { device: 'a', atMs: SINCE + 1000, ms: 2000, code: 'telemetry cut offline' },
  ]);
  expect(ledger.outages(SINCE + 2000)).toHaveLength(1);
  expect([...ledger.acknowledged]).toEqual(['a/3', 'a/4', 'a/5']);
});

it('counts words, the most frequent first', () => {
  expect(Object.entries(tally(['a', 'b', 'b']))).toEqual([
    ['b', 2],
    ['a', 1],
  ]);
});
