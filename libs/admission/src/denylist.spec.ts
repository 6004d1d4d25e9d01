import { hash } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { Denylist, entryNames } from './denylist.js';
import type { DenylistEntry, DenylistKind, DenylistSubject } from './denylist-entry.js';

const NOW = Date.parse('2026-06-01T00:00:00.000Z');

function entry(kind: DenylistKind, value: string, more: Partial<DenylistEntry> = {}): DenylistEntry {
  return { kind, value, mode: 'deny', reason: 'test', sequence: 1, ...more };
}

function listOf(...entries: DenylistEntry[]): Denylist {
  const list = new Denylist();
  for (const one of entries) list.apply(one);
  return list;
}

const SUBJECT_MEMBER: Record<DenylistKind, keyof DenylistSubject> = {
  certificate: 'thumbprint',
  serial: 'serial',
  key: 'keyThumbprint',
  device: 'deviceId',
  token: 'tokenId',
  network: 'remoteAddress',
};

test.each([
  ['certificate', 'T1', { thumbprint: 'T1' }, { thumbprint: 'T2' }],
  ['certificate', 'T1', { tokenThumbprint: 'T1' }, { keyThumbprint: 'T1' }],
  ['serial', 'aa-01', { serial: 'aa-01' }, { serial: 'bb-01' }],
  ['key', 'K1', { keyThumbprint: 'K1' }, { thumbprint: 'K1' }],
  ['device', 'device-1', { deviceId: 'device-1' }, { deviceId: 'device-10' }],
  ['token', 'jti-1', { tokenId: 'jti-1' }, { deviceId: 'jti-1' }],
  ['network', '10.1.0.0/16', { remoteAddress: '10.1.2.3' }, { remoteAddress: '10.2.0.1' }],
  ['network', '10.1.0.0/16', { remoteAddress: '::ffff:10.1.2.3' }, { remoteAddress: '::10.1.2.3' }],
  ['network', '2001:db8::/33', { remoteAddress: '2001:db8:7fff::1' }, { remoteAddress: '2001:db8:8000::1' }],
  ['network', '192.0.2.7', { remoteAddress: '192.0.2.7' }, { remoteAddress: '192.0.2.8' }],
] as const)('%s %s names whom it names, and nobody else', (kind, value, named, other) => {
  const list = listOf(entry(kind, value));
  expect(list.match(named, NOW)).toEqual(entry(kind, value));
  expect(list.match(other, NOW)).toBeUndefined();
  expect(entryNames(entry(kind, value), named)).toBe(true);
  expect(entryNames(entry(kind, value), other)).toBe(false);
});

describe('match', () => {
  it('finds a deny before a recovery, wherever they stand', () => {
    const list = listOf(entry('certificate', 'T1', { mode: 'recovery' }), entry('device', 'device-1'));
    expect(list.match({ thumbprint: 'T1', deviceId: 'device-1' }, NOW)?.kind).toBe('device');
    expect(list.match({ thumbprint: 'T1' }, NOW)?.mode).toBe('recovery');
  });

  it('hears nothing from an entry past until, though it still counts', () => {
    const until = new Date(NOW).toISOString();
    const list = listOf(entry('device', 'device-1', { until }));
    expect(list.match({ deviceId: 'device-1' }, NOW - 1)).toMatchObject({ until });
    expect(list.match({ deviceId: 'device-1' }, NOW)).toBeUndefined();
    expect(list.count).toBe(1);
  });
});

describe('apply', () => {
  it('takes the highest sequence of a key, in whatever order they come', () => {
    const list = listOf(
      entry('device', 'device-1', { sequence: 5, removed: true }),
      entry('device', 'device-1', { sequence: 4 }),
    );
    expect(list.match({ deviceId: 'device-1' }, NOW)).toBeUndefined();
    expect(list.sequence).toBe(5);
    expect(list.apply(entry('device', 'device-1', { sequence: 6 }))).toEqual({ changed: true });
    expect(list.apply(entry('device', 'device-1', { sequence: 6 }))).toEqual({ changed: false });
  });

  it('has the digest of exactly the bytes it says', () => {
    expect(listOf().digest).toBe('0'.repeat(64));
    expect(listOf(entry('device', 'device-12345')).digest).toBe(hash('sha256', 'device.device-12345.deny'));
  });
});

describe('against a model', () => {
  const kinds: DenylistKind[] = ['certificate', 'serial', 'key', 'device', 'token', 'network'];
  const change = fc.record({
    kind: fc.constantFrom(...kinds),
    name: fc.integer({ min: 0, max: 3 }),
    mode: fc.constantFrom('deny' as const, 'recovery' as const),
    removed: fc.boolean(),
    sequence: fc.integer({ min: 1, max: 12 }),
    untilMs: fc.option(fc.integer({ min: NOW - 5, max: NOW + 5 }), { nil: undefined }),
  });
  // One sequence says one thing: what the sequence is reused for is made equal.
  const changes = fc.uniqueArray(change, {
    maxLength: 40,
    selector: ({ kind, name, sequence }) => `${kind}${name}/${sequence}`,
  });

  const toEntry = ({
    kind,
    name,
    mode,
    removed,
    sequence,
    untilMs,
  }: typeof change extends fc.Arbitrary<infer T> ? T : never) =>
    entry(kind, kind === 'network' ? `10.0.0.${name}/32` : `v${name}`, {
      mode,
      sequence,
      ...(removed ? { removed: true as const } : {}),
      ...(untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() }),
    });

  test('it is the set of the newest entry of each key, whatever the order and however often they come', () => {
    fc.assert(
      fc.property(changes, fc.array(fc.nat()), (all, shuffle) => {
        const entries = all.map(toEntry);
        const model = new Map<string, DenylistEntry>();
        for (const one of [...entries].sort((l, r) => l.sequence - r.sequence))
          model.set(`${one.kind}.${one.value}`, one);
        const live = [...model.values()].filter((one) => !one.removed);
        const shuffled = [...entries];
        for (const at of shuffle) if (shuffled.length > 0) shuffled.push(...shuffled.splice(at % shuffled.length, 1));
        const list = listOf(...shuffled, ...entries);
        expect(list.count).toBe(live.length);
        expect(list.digest).toBe(listOf(...live).digest);
        expect(list.sequence).toBe(Math.max(0, ...entries.map((one) => one.sequence)));
        for (const one of model.values()) {
          const value = one.kind === 'network' ? one.value.slice(0, -3) : one.value;
          const stands = !one.removed && (one.until === undefined || Date.parse(one.until) > NOW);
          expect(list.match({ [SUBJECT_MEMBER[one.kind]]: value }, NOW)).toEqual(stands ? one : undefined);
        }
      }),
    );
  });
});
