import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { type Conditions, merge, readConditions } from './conditions.js';

const payload = (telemetry: unknown) => JSON.stringify({ device_id: 'd', seq: 1, ts: 10, telemetry });

describe('readConditions', () => {
  test.each<[string, unknown, Partial<Conditions> | undefined]>([
    [
      'as the vehicle agent sends them',
      { lat: 37.4, lon: -122.1, speed: 41.3 },
      { speedKmh: 41.3, position: { latitude: 37.4, longitude: -122.1 } },
    ],
    [
      'with the long names',
      { latitude: 1, longitude: 2, speed_kmh: 3 },
      { speedKmh: 3, position: { latitude: 1, longitude: 2 } },
    ],
    ['going backwards is going', { speed: -12 }, { speedKmh: 12 }],
    ['a health', { health: 'degraded' }, { health: 'degraded' }],
    ['what PostgreSQL would not keep is left out', { health: 'o\0k\ud800' }, { health: 'ok\ufffd' }],
    ['a place that is none', { lat: 91, lon: 0, speed: 0 }, { speedKmh: 0, position: undefined }],
    ['half a place', { lat: 1, speed: 0 }, { speedKmh: 0, position: undefined }],
    ['a speed that is no number', { speed: '0', health: 'ok' }, { speedKmh: undefined, health: 'ok' }],
    ['nothing of interest', { soc: 5 }, undefined],
    ['no telemetry', undefined, undefined],
  ])('%s', (_name, telemetry, expected) => {
    const seen = readConditions(10, payload(telemetry));
    if (expected) expect(seen).toMatchObject({ measuredAtMs: 10_000, ...expected });
    else expect(seen).toBeUndefined();
  });

  it('takes what is no JSON, and a time beyond all clocks, for nothing said', () => {
    expect(readConditions(10, '{')).toBeUndefined();
    expect(readConditions(10, 'null')).toBeUndefined();
    expect(readConditions(1e15, payload({ speed: 1 }))).toBeUndefined();
    expect(readConditions(Number.NaN, payload({ speed: 1 }))).toBeUndefined();
  });
});

describe('merge', () => {
  const conditions = fc.record({
    measuredAtMs: fc.integer({ min: 0, max: 5 }),
    speedKmh: fc.nat(9),
    position: fc.constant(undefined),
    health: fc.constantFrom('ok', 'bad'),
  });

  it('the last word wins by the time of the vehicle, in whatever order it comes', () => {
    fc.assert(
      fc.property(fc.uniqueArray(conditions, { selector: (one) => one.measuredAtMs, minLength: 1 }), (said) => {
        const gathered = said.reduce<Conditions | undefined>(merge, undefined);
        const [latest] = [...said].sort((a, b) => b.measuredAtMs - a.measuredAtMs);
        expect(gathered).toEqual(latest);
      }),
    );
  });

  it('what the last one leaves out stays as it was', () => {
    const before = { measuredAtMs: 1, speedKmh: 80, position: { latitude: 1, longitude: 2 }, health: 'ok' };
    const after = { measuredAtMs: 2, speedKmh: undefined, position: undefined, health: 'bad' };
    const both = { ...before, measuredAtMs: 2, health: 'bad' };
    expect([merge(before, after), merge(after, before)]).toEqual([both, both]);
  });
});
